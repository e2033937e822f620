"""The removal of events with their deliveries, in transactions too short to be noticed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from sqlalchemy import Connection, Engine, text

from webhookproxy.database.bulk import numbers
from webhookproxy.database.fence import SHARD
from webhookproxy.database.store import Store
from webhookproxy.models.deliveries.tables import OPEN

logger = logging.getLogger(__name__)

# Rows that one step reads or changes.
BATCH = 500
# A removal starts no statement after these seconds.
BUDGET = 0.008
# Seconds that a removal should take with its commit; after a longer one the next is smaller.
HOLD = 0.02
# Seconds that no removal should take; on an overloaded machine one still may.
HOLD_MOST = 0.05
BUDGET_LEAST = 0.004
# The events of one statement: more after a quick one, fewer after a slow one.
CHUNK_FIRST = 10
CHUNK_MOST = 200
# A pass that removed fewer events prints no line.
WORTH_A_LINE = 10_000


def ignore_ids(_ids: list[int]) -> None:
    """Do nothing with the removed ids."""


class Purge:
    """Removes events; how many at once follows from the time that the last ones took.

    `gone` gets the ids afterwards, also of events that could not be removed.
    """

    def __init__(self, store: Store, gone: Callable[[list[int]], None] = ignore_ids) -> None:
        self._store = store
        self._gone = gone
        self._budget = BUDGET
        self._chunk = CHUNK_FIRST
        self.removed = 0
        self._holds: list[float] = []

    def remove(self, ids: list[int], *, due_too: bool = False) -> int:
        """Remove the first of these events, with their deliveries and attempts. Return how many.

        Unless `due_too`, events with a due delivery stay. This is checked again here, because a
        delivery may have been resent since they were chosen. Raises what the store raises.
        """
        if not ids:
            return 0
        removed, held = self._store.measured(
            lambda connection: self._remove(connection, ids, due_too=due_too)
        )
        self._budget = min(BUDGET, max(BUDGET_LEAST, self._budget * HOLD / max(held, 0.001)))
        self._holds.append(held)
        self.removed += removed
        self._gone(ids[:removed])
        return removed

    def end_pass(self) -> None:
        """Log what was removed, when nothing more is to remove and it was enough for a line."""
        if self.removed < WORTH_A_LINE:
            return
        holds = sorted(self._holds)
        logger.info(
            "removed %d events past their time in %d steps; the writer was held for %d ms in 99 of"
            " 100, for %d ms at the longest, and %d times for more than %d ms",
            self.removed,
            len(holds),
            round(holds[len(holds) * 99 // 100] * 1000),
            round(holds[-1] * 1000),
            sum(each > HOLD_MOST for each in holds),
            round(HOLD_MOST * 1000),
        )
        self.removed, self._holds = 0, []

    def _remove(self, connection: Connection, ids: list[int], *, due_too: bool) -> int:
        remember_numbers(connection)
        started = time.perf_counter()
        done = 0
        while done < len(ids):
            began = time.perf_counter()
            chunk = ids[done : done + self._chunk]
            chosen = chunk if due_too else _not_due(connection, chunk)
            _remove_events(connection, chosen, due_too=due_too)
            done += len(chunk)
            now = time.perf_counter()
            self._adapt(now - began)
            if now - started >= self._budget:
                break
        return done

    def _adapt(self, took: float) -> None:
        # One event may have a few rows or, with many webhooks and failures, thousands.
        if took < self._budget / 8:
            self._chunk = min(self._chunk * 2, CHUNK_MOST)
        elif took > self._budget / 4:
            self._chunk = max(self._chunk // 2, 1)


class Walk:
    """Goes through events from the oldest on, again and again, and skips due ones.

    `where` limits the events, with the values that each step gives.
    """

    def __init__(self, where: str = "TRUE") -> None:
        # The newest event stays, because the next owner goes on with its number.
        self._query = text(
            "SELECT e.id, e.received_ms, EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = e.id"
            f" AND d.{OPEN}) AS due FROM events e WHERE e.id > :after AND {where}"
            " AND e.id < (SELECT MAX(id) FROM events) ORDER BY e.id LIMIT :batch"
        )
        self._after = 0

    def step(
        self, reading: Engine, purge: Purge, before_ms: int, most: int = BATCH, **values: int
    ) -> int | None:
        """Remove some events received before. Return how many, or None at the end of a round."""
        with reading.connect() as connection:
            given = {"after": self._after, "batch": BATCH, **values}
            batch = connection.execute(self._query, given).all()
        # SQLite answers without a pause, and several walks follow each other.
        gevent.sleep(0)
        past = [row.id for row in batch if row.received_ms < before_ms]
        ids = [row.id for row in batch if row.received_ms < before_ms and not row.due]
        removed = purge.remove(ids[:most])
        if removed < len(ids):
            # The rest of the batch comes next.
            self._after = ids[removed] - 1
            return removed
        if past and len(past) == len(batch):
            # Due events are skipped, or they would hide the others from the next batch.
            self._after = past[-1]
            return removed
        self._after = 0
        return removed or None


def remember_numbers(connection: Connection) -> None:
    """Store the highest numbers given, before the rows that have them are removed."""
    for column, table in (("last_event_id", "events"), ("last_delivery_id", "deliveries")):
        highest = f"(SELECT COALESCE(MAX(id), 0) FROM {table})"
        connection.execute(
            text(
                f"UPDATE leases SET {column} = {highest}"
                f" WHERE shard = {SHARD} AND {column} < {highest}"
            )
        )


def remove_rows(connection: Connection, *, table: str, where: str) -> int:
    """Remove a batch of the rows that `where` chooses. Return how many."""
    # By their internal addresses: such tables have keys of several columns.
    chosen = {
        "sqlite": f"rowid IN (SELECT rowid FROM {table} WHERE {where} LIMIT {BATCH})",
        "postgresql": f"ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {where} LIMIT {BATCH}))",
    }[connection.dialect.name]
    return connection.exec_driver_sql(f"DELETE FROM {table} WHERE {chosen}").rowcount


def _not_due(connection: Connection, ids: list[int]) -> list[int]:
    events = numbers(ids)
    query = text(f"SELECT event_id FROM deliveries WHERE event_id IN ({events}) AND {OPEN}")
    due = {row[0] for row in connection.execute(query)}
    return [each for each in ids if each not in due]


def _remove_events(connection: Connection, ids: list[int], *, due_too: bool) -> None:
    events = numbers(ids)
    if not events:
        return
    # Another process may resend one of them at this very moment, and then it stays.
    ended = "" if due_too else f" AND NOT {OPEN}"
    gone = connection.exec_driver_sql(
        f"DELETE FROM deliveries WHERE event_id IN ({events}){ended} RETURNING id"
    )
    deliveries = numbers(row[0] for row in gone.all())
    if deliveries:
        connection.exec_driver_sql(f"DELETE FROM attempts WHERE delivery_id IN ({deliveries})")
    kept = "SELECT 1 FROM deliveries d WHERE d.event_id = events.id"
    connection.exec_driver_sql(f"DELETE FROM events WHERE id IN ({events}) AND NOT EXISTS ({kept})")
    kept = "SELECT 1 FROM events e WHERE e.id = recording_links.event_id"
    connection.exec_driver_sql(
        f"DELETE FROM recording_links WHERE event_id IN ({events}) AND NOT EXISTS ({kept})"
    )
