"""The progress of a recovery in its row: each change is one statement, for the owner's fence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.store import Store
from webhookproxy.events.contract import token_mask
from webhookproxy.events.recovery.periods import Period, periods, widened
from webhookproxy.models.companies import Company
from webhookproxy.models.deliveries.tables import OPEN
from webhookproxy.models.recovery.recoveries import (
    HOUR_MS,
    LOOKS_MS,
    MOST_MS,
    SWEEP_EVERY_MS,
    UNDER_WAY,
    Recovery,
    RecoveryState,
    first_event_ms,
)
from webhookproxy.network.guard import Policy
from webhookproxy.platform.rest import Access, PlatformError
from webhookproxy.recovery.access import access_of

# How soon a request is made again that had no usable answer: each time twice as late.
AGAIN_FIRST_MS = 15_000
AGAIN_MOST_MS = 600_000
# A recovery without a usable answer for this time is given up.
GIVE_UP_MS = 24 * 3_600_000

_NOT_BEGUN = (
    "SELECT COUNT(*) FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id"
    " JOIN webhook_health h ON h.webhook_id = w.id"
    " WHERE d.id IN ({ids}) AND d.state = 'queued' AND d.attempts = 0"
    " AND w.state = 'active' AND w.deleted_at IS NULL AND h.circuit_opened_at IS NULL"
    # One behind an earlier delivery of its key that failed holds up no other key.
    " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.webhook_id = d.webhook_id"
    f" AND e.order_key = d.order_key AND e.id < d.id AND e.{OPEN} AND e.attempts > 0)"
)

_GIVE_UP = text(
    "UPDATE recoveries SET state = 'stopped', ended_ms = :now"
    f" WHERE id = :id AND {UNDER_WAY} AND asked_ms < :now - :most AND until_ms < :now - :most"
)

_FOUND_NOTHING = text(
    "DELETE FROM recoveries WHERE company_id = :company AND sweep AND id < :before"
    " AND recovered = 0"
)


_LAST_DUE = text(
    "SELECT id FROM deliveries WHERE event_id IN (SELECT event_id FROM call_histories"
    " WHERE company_id = :company AND recovered AND event_id IS NOT NULL AND seen_ms > :since"
    " ORDER BY seen_ms DESC LIMIT :most)"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A recovery that is under way, with what its next request needs.

    `period` is None when all periods of this look are done.
    """

    recovery: Recovery
    access: Access
    token_mask: str
    hide_credentials: bool
    is_wanted: bool
    period: Period | None

    @property
    def is_counting(self) -> bool:
        """Whether nothing is recovered before a user confirms."""
        return self.recovery.state == RecoveryState.COUNTING


class Progress:
    """Reads and writes the rows of recoveries."""

    def __init__(self, store: Store, reading: Engine, policy: Policy, share: Share = WHOLE) -> None:
        self._under_way = text(UNDER_WAY + share.where("company_id"))
        self._store = store
        self._reading = reading
        self._policy = policy

    def due(self, now_ms: int) -> list[tuple[int, int]]:
        """Return the recoveries that go on now, with their companies, the longest due first."""
        query = (
            select(Recovery.id, Recovery.company_id)
            .where(self._under_way, Recovery.next_ms <= now_ms)
            .order_by(Recovery.next_ms, Recovery.id)
            .limit(500)
        )
        with self._reading.connect() as connection:
            return [(row.id, row.company_id) for row in connection.execute(query)]

    def concerned(self) -> set[int]:
        """Return the companies, of all shares, that have a recovery under way."""
        with self._reading.connect() as connection:
            query = select(Recovery.company_id).where(text(UNDER_WAY))
            return set(connection.execute(query).scalars())

    def task(self, recovery_id: int) -> Task | None:
        """Return a recovery that is still under way."""
        with Session(self._reading, expire_on_commit=False) as session:
            found = session.get(Recovery, recovery_id)
            if found is None or not found.is_under_way:
                return None
            company = session.get(Company, found.company_id)
            if company is None or company.deleted_at is not None:
                access = Access(found.company_id, "", "")
                return Task(found, access, "", hide_credentials=True, is_wanted=False, period=None)
            access = access_of(company, self._policy)
            alone = company.sweep_calls if found.sweep else company.recover_calls
            wanted = bool(found.asked_by) or alone
            period = _period(found, first_event_ms(session, company.id))
            # Receivers know a company by the token of its socket.
            mask = token_mask(company.token)
            return Task(found, access, mask, company.hide_credentials, wanted, period)

    def last_due(self, company_id: int, most: int, now_ms: int) -> list[int]:
        """Return the deliveries of the last calls that were recovered in the last hour."""
        given = {"company": company_id, "most": most, "since": now_ms - HOUR_MS}
        with self._reading.connect() as connection:
            return list(connection.execute(_LAST_DUE, given).scalars())

    def not_begun(self, delivery_ids: list[int]) -> int:
        """Return how many deliveries wait for their first attempt at a webhook that is sent now."""
        if not delivery_ids:
            return 0
        with self._reading.connect() as connection:
            query = text(_NOT_BEGUN.format(ids=numbers(delivery_ids)))
            return int(connection.execute(query).scalar() or 0)

    def page_is_done(self, task: Task, listed: int, missing: int, fence: Fence) -> None:
        """Go on to the next page."""
        self._store.run(
            lambda connection: write_page(connection, task, listed, missing),
            fence=fence.of_company(task.recovery.company_id),
        )

    def period_is_done(self, task: Task, fence: Fence) -> None:
        """Go on to the next period of the look."""
        self._set(task, fence, period=Recovery.period + 1, page=1)

    def look_is_done(self, task: Task, now_ms: int, fence: Fence) -> None:
        """End a recovery, or have 3C Plus be asked again later."""
        found = task.recovery
        if task.is_counting:
            self._end(task, RecoveryState.COUNTED, now_ms, fence)
        elif found.look + 1 >= len(LOOKS_MS):
            self._end(task, RecoveryState.FINISHED, now_ms, fence, look=len(LOOKS_MS))
        else:
            look = found.look + 1
            after = max(now_ms, found.until_ms + LOOKS_MS[look])
            begun = {"period": 0, "page": 1, "listed": 0, "missing": 0}
            self._set(task, fence, look=look, next_ms=after, **begun)

    def failed(self, task: Task, error: PlatformError, now_ms: int, fence: Fence) -> None:
        """Have the request be made again later, or end the recovery."""
        found, trouble = task.recovery, error.trouble
        began = max(found.asked_ms, found.until_ms)
        # The next sweep asks for these calls again.
        give_up_ms = SWEEP_EVERY_MS if found.sweep else GIVE_UP_MS
        if error.is_final or now_ms - began > give_up_ms:
            self._end(task, RecoveryState.STOPPED, now_ms, fence, trouble=trouble.value)
            return
        later = now_ms + error.wait_ms(found.failures, AGAIN_FIRST_MS, AGAIN_MOST_MS)
        failures = min(found.failures + 1, 1_000)
        self._set(task, fence, failures=failures, trouble=trouble.value, next_ms=later)

    def give_up_old(self, recovery_id: int, now_ms: int, fence: Fence) -> None:
        """End a recovery that a fault of ours has held up for a day: no one can go on with it.

        `fence` is that of its company.
        """
        given = {"id": recovery_id, "now": now_ms, "most": GIVE_UP_MS}
        self._store.run(
            lambda connection: connection.execute(_GIVE_UP, given) and None, fence=fence
        )

    def stopped(self, task: Task, now_ms: int, fence: Fence) -> None:
        """End a recovery that is no longer wanted, or whose company was deleted."""
        self._end(task, RecoveryState.STOPPED, now_ms, fence)

    def _end(
        self, task: Task, state: RecoveryState, now_ms: int, fence: Fence, **values: Any
    ) -> None:
        given = {"trouble": None, "state": state.value, "ended_ms": now_ms, **values}
        found = task.recovery

        def job(connection: Connection) -> None:
            connection.execute(_change(task).values(**given))
            if found.sweep:
                connection.execute(
                    _FOUND_NOTHING, {"company": found.company_id, "before": found.id}
                )

        self._store.run(job, fence=fence.of_company(task.recovery.company_id))

    def _set(self, task: Task, fence: Fence, **values: Any) -> None:
        def job(connection: Connection) -> None:
            connection.execute(_change(task).values(**values))

        self._store.run(job, fence=fence.of_company(task.recovery.company_id))


def write_page(connection: Connection, task: Task, listed: int, missing: int) -> None:
    """Go on to the next page, in the transaction of the page's last events."""
    values = {
        "page": Recovery.page + 1,
        "listed": Recovery.listed + listed,
        "missing": Recovery.missing + missing,
        "failures": 0,
        "trouble": None,
    }
    connection.execute(_change(task).values(values))


def write_recovered(connection: Connection, task: Task, count: int) -> None:
    """Count recovered calls, in the transaction of their events."""
    connection.execute(_change(task).values(recovered=Recovery.recovered + count))


def _change(task: Task) -> Any:
    return update(Recovery).where(Recovery.id == task.recovery.id, text(UNDER_WAY))


def _period(found: Recovery, first_ms: int | None) -> Period | None:
    """Return the period that is asked for next; None if all are done."""
    if first_ms is None:
        return None
    # The end stays while the pages are read: calls of now would move the others from page to page.
    asked_now = found.asked_by or found.sweep
    asked_ms = found.asked_ms if asked_now else found.until_ms + LOOKS_MS[found.look]
    begin, end = widened(
        found.since_ms, found.until_ms, max(first_ms, found.asked_ms - MOST_MS), asked_ms
    )
    all_of_them = periods(begin, end) if begin < end else []
    return all_of_them[found.period] if found.period < len(all_of_them) else None
