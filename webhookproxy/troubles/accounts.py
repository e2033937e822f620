"""The account of an outage that ended: how many events waited, and how they ended."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

import gevent
from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.models.deliveries.periods import first_delivery
from webhookproxy.models.deliveries.tables import ENDED_BADLY
from webhookproxy.models.outages import COUNT_MAX, Outage, OutageKind
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import WebhookHealth
from webhookproxy.troubles.limits import FAILING_MS
from webhookproxy.troubles.now import works_since

# Deliveries in one statement, which holds the hub.
ROUND = 1_000
# Seconds until an account is counted again: at least these, and this many times what it took.
AGAIN_SECONDS = 0.9
REST = 20
# The same while nothing is on its way any more, and the outage may still begin again.
ENDED_SECONDS = 10.0

_ROWS = (
    "SELECT id, state, order_key, {hit} AS hit FROM deliveries WHERE webhook_id = :webhook"
    " AND id > :after AND id <= :last ORDER BY id LIMIT :most"
)
_TOTALS = (
    "SELECT COUNT(*) AS looked_at, MAX(id) AS last, COUNT(CASE WHEN hit THEN 1 END) AS waited,"
    " COUNT(CASE WHEN hit AND state = 'delivered' THEN 1 END) AS delivered,"
    f" COUNT(CASE WHEN hit AND {ENDED_BADLY} THEN 1 END) AS missed FROM ({{rows}}) r"
)
_CALLS = "SELECT DISTINCT order_key FROM ({rows}) r WHERE hit AND order_key LIKE 'call:%'"
# Of a webhook that refused, what was refused; else whatever had not ended when it began.
_REFUSED = "refusal_group_id IS NOT NULL"
_WAITED = "(state NOT IN ('filtered', 'simulated') AND COALESCE(ended_ms, :began) >= :began)"


class Account(NamedTuple):
    """The numbers of an outage; see models.outages."""

    waited: int = 0
    delivered: int = 0
    missed: int = 0
    calls: int = 0
    is_cut: bool = False


def is_over(outage: Outage, health: WebhookHealth, now: datetime) -> bool:
    """Return whether an outage with an end cannot begin again."""
    if outage.kind != OutageKind.FAILING or outage.began_at != health.failing_since:
        return True
    return works_since(health, now) is not None


class Accounts:
    """Counts the deliveries of outages, again and again until all have ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # When each outage is counted again, in monotonic seconds.
        self._due: dict[int, float] = {}
        # The end of each outage, and the last number of a delivery that came before it.
        self._last: dict[int, tuple[datetime, int]] = {}

    def go_on(self, session: Session, outage: Outage, now: datetime, *, over: bool) -> bool:
        """Count again if it is time, and settle the account when it is final.

        `over` says that the outage cannot begin again. Returns whether the row changed.
        """
        began = time.monotonic()
        if began < self._due.get(outage.id, 0.0):
            return False
        account = count_account(session, outage, self._last_of(session, outage))
        took = time.monotonic() - began
        has_ended = account.delivered + account.missed >= account.waited
        rest = max(ENDED_SECONDS if has_ended else AGAIN_SECONDS, REST * took)
        self._due[outage.id] = time.monotonic() + rest
        settles = over and has_ended and now - _end_of(outage) >= timedelta(milliseconds=FAILING_MS)
        before = Account(
            outage.waited, outage.delivered, outage.missed, outage.calls, outage.is_cut
        )
        if account == before and not settles:
            return False
        outage_id, settled_at = outage.id, now if settles else None

        def job(writing: Session) -> None:
            row = writing.get(Outage, outage_id)
            if row is not None:
                for name, value in account._asdict().items():
                    setattr(row, name, value)
                row.settled_at = settled_at

        self._store.session(job)
        if settles:
            del self._due[outage_id], self._last[outage_id]
        return True

    def _last_of(self, session: Session, outage: Outage) -> int:
        """Return the number of the last delivery that came before an outage ended."""
        ended = _end_of(outage)
        known = self._last.get(outage.id)
        if known is None or known[0] != ended:
            known = self._last[outage.id] = ended, first_delivery(session, to_ms(ended)) - 1
        return known[1]


def count_account(session: Session, outage: Outage, last: int) -> Account:
    """Count the deliveries of an outage up to a number, in rounds: others run between them.

    Calls are counted once no delivery waits any more.
    """
    hit = _REFUSED if outage.kind == OutageKind.REFUSING else _WAITED
    rows = _ROWS.format(hit=hit)
    given = {
        "webhook": outage.webhook_id, "began": to_ms(outage.began_at), "last": last, "most": ROUND,
    }  # fmt: skip
    totals, looked_at, after = Account(), 0, outage.first_id - 1
    starts: list[int] = []
    while looked_at < COUNT_MAX:
        round_ = session.execute(text(_TOTALS.format(rows=rows)), {**given, "after": after}).one()
        starts.append(after)
        looked_at, after = looked_at + round_.looked_at, round_.last
        totals = Account(
            totals.waited + round_.waited,
            totals.delivered + round_.delivered,
            totals.missed + round_.missed,
        )
        # Also after the last: what follows is a round too.
        gevent.sleep(0)
        if round_.looked_at < ROUND:
            break
    totals = totals._replace(is_cut=round_.looked_at == ROUND)
    if totals.delivered + totals.missed < totals.waited:
        return totals
    return totals._replace(calls=_count_calls(session, rows, given, starts))


def _count_calls(session: Session, rows: str, given: dict[str, int], starts: list[int]) -> int:
    """Return how many different calls the deliveries are about."""
    calls: set[str] = set()
    for after in starts:
        found = session.execute(text(_CALLS.format(rows=rows)), {**given, "after": after})
        calls.update(found.scalars())
        gevent.sleep(0)
    return len(calls)


def _end_of(outage: Outage) -> datetime:
    """Return the end of an outage that has one."""
    if outage.ended_at is None:
        raise ValueError("This outage still lasts: its account begins when it has ended.")
    return outage.ended_at
