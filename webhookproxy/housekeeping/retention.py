"""The removal of old rows: events after their days, unwanted ones, counters after a year."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.store import Store
from webhookproxy.housekeeping.purge import Purge, Walk, remove_rows
from webhookproxy.models.minutes import MINUTE_MS
from webhookproxy.models.recovery.call_histories import KEPT_DAYS

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# Charts compare with the same time last year, and with nothing older.
COUNTERS_DAYS = 400
COUNTERS_EVERY_MS = HOUR_MS
# Companies with their own days that one step looks at.
COMPANIES = 10
# Owners of counters that one step looks at.
OWNERS = 20

# A group of refusals goes with the deliveries that are in it.
REFUSALS = "refusal_groups"
# A chart shows the last hour by the minute.
MINUTES = "minute_counts"
MINUTES_MS = 2 * HOUR_MS
# 3C Plus is asked for 30 days: what it may answer with must be known.
HISTORIES = "call_histories"
# Its days are no longer known either. A result names calls, so it stays no longer than the events
# of a company with days of its own.
COMPARISONS = "day_comparisons"
# Nothing is opened by one whose days are over.
RECORDINGS = "recording_links"
# A format that a webhook had before goes when no delivery was sent in it.
FORMATS = "past_formats"
_UNWANTED = "note = 'unwanted'"
_OWN = text(
    "SELECT id, retention_days FROM companies WHERE retention_days IS NOT NULL"
    " AND deleted_at IS NULL AND id > :after ORDER BY id LIMIT :batch"
)
_FEWER_DAYS_MS = (
    f"COALESCE((SELECT {KEPT_DAYS} - c.retention_days FROM companies c"
    f" WHERE c.id = day_comparisons.company_id AND c.retention_days < {KEPT_DAYS}), 0)"
    f" * CAST({DAY_MS} AS BIGINT)"
)
# Table, the column of its owner, its old rows, and the length of a unit of time. A gap that ended
# began earlier, which an index finds.
_COUNTERS = (
    ("hourly_events", "company_id", "hour < {limit}", HOUR_MS),
    ("hourly_deliveries", "webhook_id", "hour < {limit}", HOUR_MS),
    (MINUTES, "owner_id", "minute < {limit}", MINUTE_MS),
    ("gaps", "company_id", "started_at < {limit} AND ended_at < {limit}", 1),
    ("recoveries", "company_id", "ended_ms < {limit}", 1),
    (HISTORIES, "company_id", "seen_ms < {limit}", 1),
    (COMPARISONS, "company_id", f"ended_ms < {{limit}} + {_FEWER_DAYS_MS}", 1),
    (RECORDINGS, "company_id", "expires_ms < {limit}", 1),
    ("outages", "webhook_id", "began_at < {limit} AND ended_at < {limit}", 1),
    # One that was replaced this moment may be in a request that is under way.
    (
        FORMATS,
        "webhook_id",
        (
            "replaced_at < {limit} AND NOT EXISTS (SELECT 1 FROM deliveries d"
            " WHERE d.webhook_id = past_formats.webhook_id"
            " AND d.format_number = past_formats.number)"
        ),
        1,
    ),
    (REFUSALS, "webhook_id", "day < {limit}", DAY_MS),
)


class Retention:
    """Removes old events, a few of every kind at each step."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        purge: Purge,
        retention_days: int,
        unwanted_hours: int,
    ) -> None:
        self._reading = reading
        self._purge = purge
        self._days = retention_days
        self._unwanted_ms = unwanted_hours * HOUR_MS
        self._unwanted, self._all = Walk(_UNWANTED), Walk()
        self._own: dict[int, Walk] = {}
        self._after = 0
        self._counters = OldCounters(store, reading, retention_days)

    def step(self, now_ms: int) -> bool:
        """Remove a few events. Return whether there may be more."""
        did = self._walk(self._unwanted, now_ms - self._unwanted_ms)
        did = self._walk(self._all, now_ms - self._days * DAY_MS) or did
        did = self._step_own(now_ms) or did
        return self._counters.step(now_ms) or did

    def _walk(self, walk: Walk, before_ms: int, **values: int) -> bool:
        return walk.step(self._reading, self._purge, before_ms, **values) is not None

    def _step_own(self, now_ms: int) -> bool:
        """Remove a few events of the next companies with fewer days of their own."""
        with self._reading.connect() as connection:
            given = {"after": self._after, "batch": COMPANIES}
            found = connection.execute(_OWN, given).all()
        did = False
        for company_id, days in found:
            walk = self._own.setdefault(company_id, Walk("e.company_id = :company"))
            before_ms = now_ms - min(days, self._days) * DAY_MS
            did = self._walk(walk, before_ms, company=company_id) or did
        more = len(found) == COMPANIES
        self._after = found[-1][0] if more else 0
        return did or more


class OldCounters:
    """Removes hourly counters, gaps and outages of more than COUNTERS_DAYS, once in an hour.

    Groups of refusals stay for the days of the events, counts by the minute for two hours.
    """

    def __init__(self, store: Store, reading: Engine, retention_days: int) -> None:
        self._days = retention_days
        self._store = store
        self._reading = reading
        self._looked_ms = -COUNTERS_EVERY_MS
        # The position of this round: the table, and the last owner that was looked at.
        self._table = 0
        self._owner = 0

    def step(self, now_ms: int) -> bool:
        """Look at some owners and remove a batch. Return whether this round goes on."""
        if abs(now_ms - self._looked_ms) < COUNTERS_EVERY_MS:
            return False
        with self._reading.connect() as connection:
            for _ in range(OWNERS):
                where = self._old_rows(connection, now_ms)
                if where is not None:
                    table = _COUNTERS[self._table][0]
                    self._store.run(partial(remove_rows, table=table, where=where))
                    return True
                if self._table == len(_COUNTERS):
                    self._table, self._looked_ms = 0, now_ms
                    return False
        return True

    def _old_rows(self, connection: Connection, now_ms: int) -> str | None:
        """Return the condition for the next owner's old rows; None if it has none."""
        table, owner, old, unit_ms = _COUNTERS[self._table]
        query = text(f"SELECT MIN({owner}) FROM {table} WHERE {owner} > :after")
        found = connection.execute(query, {"after": self._owner}).scalar()
        if found is None:
            self._table, self._owner = self._table + 1, 0
            return None
        kept_ms = {
            REFUSALS: self._days * DAY_MS,
            MINUTES: MINUTES_MS,
            FORMATS: HOUR_MS,
            HISTORIES: KEPT_DAYS * DAY_MS,
            COMPARISONS: KEPT_DAYS * DAY_MS,
            RECORDINGS: 0,
        }
        limit = (now_ms - kept_ms.get(table, COUNTERS_DAYS * DAY_MS)) // unit_ms
        where = f"{owner} = {int(found)} AND {old.format(limit=limit)}"
        if connection.execute(text(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1")).first():
            return where
        self._owner = found
        return None
