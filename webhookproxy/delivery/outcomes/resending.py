"""Runs the bulk resends: a few deliveries at a time, after the live traffic.

One transaction queues deliveries and notes the progress: the next owner of the sockets continues
from there, and no delivery is resent twice or left out. Stored events that a webhook was not sent
go the same way; their new deliveries get numbers from the journal, which numbers all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, Select, delete, or_, select, text
from sqlalchemy.orm import Session

from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.store import Store
from webhookproxy.models.companies import Company
from webhookproxy.models.deliveries.actions import queue_again
from webhookproxy.models.deliveries.bulk_resends import BulkResend, BulkState, hold
from webhookproxy.models.deliveries.missed import following
from webhookproxy.models.deliveries.stored import following_stored, queue_stored
from webhookproxy.models.deliveries.tables import OPEN, Delivery
from webhookproxy.models.events import newest_event
from webhookproxy.models.webhooks import Webhook, secrets_later
from webhookproxy.reasons import WAITING, DeliveryState

# Seconds between two steps: while deliveries are queued, while a resend waits, and otherwise.
PAUSE_QUEUEING = 0.02
PAUSE_WAITING = 0.25
PAUSE_IDLE = 0.5
# Deliveries in the queue for each worker, resent or new. The second bound counts if they are sent
# within AHEAD seconds at the last measured pace.
PER_WORKER = 2
PER_WORKER_MAX = 8
AHEAD = 0.5
MEASURED_SECONDS = 0.3
# A webhook with more open deliveries, including those that wait for a retry, gets no resends.
OPEN_MAX = 500
# Deliveries that ended badly and are read to find the wanted ones.
LOOK_AT = 1_000
# A webhook gets new events at latest this long after it was saved. Until then stored events are
# looked for up to the newest, so that none is left out at the border.
BORDER_MS = 5_000
_FORGET_SECONDS = 3600.0
_DAY_MS = 86_400_000

_OPEN_ROWS = text(
    f"SELECT due_ms FROM deliveries WHERE webhook_id = :webhook AND {OPEN} ORDER BY id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class _Next:
    """The next deliveries of a bulk resend that are queued: from `after` up to `upto`.

    If it is `stored`, these are the numbers of events.
    """

    bulk_id: int
    after: int
    ids: list[int]
    upto: int
    is_last: bool
    stored: bool = False


class Reserved(Protocol):
    """Some numbers for deliveries, and the fence for the write that uses them."""

    @property
    def ids(self) -> Sequence[int]: ...
    @property
    def fence(self) -> Fence: ...


class _Pace:
    """Measures how many deliveries of a bulk resend are sent in a second."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._count = 0
        self._since = 0.0

    def queued(self, count: int) -> None:
        """Count queued deliveries: except for the first ones, as many were sent before."""
        now = time.monotonic()
        if not self._since:
            self._since = now
            return
        self._count += count
        if now - self._since >= MEASURED_SECONDS:
            self.rate = self._count / (now - self._since)
            self._count, self._since = 0, now


class Resending:
    """Works in steps; `pause` is the number of seconds to wait before the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        attend: Callable[[Mapping[int, list[int]]], None],
        reserved: Callable[[int, int], AbstractContextManager[Reserved]],
        retention_days: int,
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        self._share = share
        self.pause = PAUSE_IDLE
        self._store = store
        self._reading = reading
        self._attend = attend
        self._reserved = reserved
        self._kept_ms = retention_days * _DAY_MS
        self._clock = clock
        self._forgotten = float("-inf")
        self._paces: dict[int, _Pace] = {}

    def step(self) -> bool:
        """Continue each bulk resend; return True if anything was queued, so more may follow."""
        with Session(self._reading) as session:
            mine = text("TRUE" + self._share.where("webhooks.company_id"))
            found = session.execute(_followed(BulkResend.id, BulkResend.state).where(mine)).all()
        self._paces = {row.id: self._paces.get(row.id) or _Pace() for row in found}
        queued = [self._go_on(row.id, self._paces[row.id]) for row in found]
        is_running = any(row.state == BulkState.RUNNING for row in found)
        self.pause = PAUSE_WAITING if is_running else PAUSE_IDLE
        if any(queued):
            self.pause = PAUSE_QUEUEING
        if not is_running:
            self._forget()
        return any(queued)

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, that have a bulk resend to follow."""
        with Session(self._reading) as session:
            return set(session.scalars(_followed(Webhook.company_id)))

    def _go_on(self, bulk_id: int, pace: _Pace) -> bool:
        """Count ended deliveries and queue a few more; return whether to continue at once."""
        with Session(self._reading) as session:
            bulk = session.get(BulkResend, bulk_id)
            webhook = None if bulk is None else _webhook(session, bulk.webhook_id)
            if bulk is None or webhook is None:
                return False
            is_running = bulk.state == BulkState.RUNNING
            is_gone = is_running and _is_gone(session, webhook)
            coming = None
            if is_running and not is_gone:
                coming = _next(session, bulk, webhook, pace, round(self._clock() * 1000))
            if coming is None and not is_gone and not _ended(session, bulk.waiting):
                return False
            webhook_id, company_id = webhook.id, webhook.company_id
        write = partial(_write, bulk_id=bulk_id, coming=coming, is_gone=is_gone)
        queued = self._write(write, coming, company_id)
        if queued:
            self._attend({webhook_id: []})
            pace.queued(queued)
        return coming is not None

    def _write(self, write: Callable[..., int], coming: _Next | None, company_id: int) -> int:
        """Return how many were queued."""
        if coming is None or not coming.stored:
            return self._store.session(write)
        with self._reserved(company_id, len(coming.ids)) as numbers:
            write = partial(write, numbers=numbers.ids)
            return self._store.session(write, fence=numbers.fence)

    def _forget(self) -> None:
        """Once an hour, remove bulk resends that ended before the retention time."""
        if time.monotonic() - self._forgotten < _FORGET_SECONDS:
            return
        self._forgotten = time.monotonic()
        before = round(self._clock() * 1000) - self._kept_ms
        old = delete(BulkResend).where(
            BulkResend.state != BulkState.RUNNING, BulkResend.ended_ms < before
        )
        self._store.run(lambda connection: connection.execute(old).rowcount)


def queue_capacity(session: Session, webhook: Webhook, now_ms: int, rate: float = 0.0) -> int:
    """Return how many deliveries may be queued after those that a webhook is sent now; 0 if none.

    `rate` is the number that it was sent in a second lately. Deliveries that wait for a retry count
    only for OPEN_MAX: they delay no others.
    """
    found = session.execute(_OPEN_ROWS, {"webhook": webhook.id, "most": OPEN_MAX}).scalars().all()
    workers = webhook.parallelism
    most = max(PER_WORKER * workers, min(PER_WORKER_MAX * workers, int(rate * AHEAD)))
    if webhook.rate_limit is not None:
        # A new event waits for the old ones of one second at most.
        most = min(most, max(1, ceil(webhook.rate_limit)))
    free = most - sum(due_ms is None or due_ms <= now_ms for due_ms in found)
    # The lane reads again after each queueing, so queue several at once.
    return free if len(found) < OPEN_MAX and free * 2 >= most else 0


def _followed(*columns: Any) -> Select[Any]:
    """Return the query for the bulk resends that run, or whose last deliveries have not ended."""
    query = select(*columns).join_from(BulkResend, Webhook, Webhook.id == BulkResend.webhook_id)
    return query.where(or_(BulkResend.state == BulkState.RUNNING, _has_waiting()))


def _has_waiting() -> ColumnElement[bool]:
    return BulkResend.queued > BulkResend.delivered + BulkResend.failed


def _webhook(session: Session, webhook_id: int) -> Webhook | None:
    # Secrets are not needed here, and one that no key opens must not stop other resends.
    return session.get(Webhook, webhook_id, options=secrets_later())


def _is_gone(session: Session, webhook: Webhook) -> bool:
    company = session.get(Company, webhook.company_id)
    return webhook.deleted_at is not None or company is None or company.deleted_at is not None


def _next(
    session: Session, bulk: BulkResend, webhook: Webhook, pace: _Pace, now_ms: int
) -> _Next | None:
    """Return the next few deliveries; None while none may be queued."""
    if hold(webhook) is not None:
        return None
    free = queue_capacity(session, webhook, now_ms, pace.rate)
    if not free:
        return None
    if bulk.stored:
        return _next_stored(session, bulk, webhook, free, now_ms)
    ids, upto, is_last = following(session, bulk.wanted, bulk.cursor, bulk.upto, free, LOOK_AT)
    return _Next(bulk.id, bulk.cursor, ids, upto, is_last)


def _next_stored(
    session: Session, bulk: BulkResend, webhook: Webhook, free: int, now_ms: int
) -> _Next | None:
    """Return the next few stored events; None while only the border is waited for."""
    is_one = bulk.event_id is not None
    upto = bulk.upto if is_one else newest_event(session)
    ids, at, is_last = following_stored(session, webhook, bulk.wanted, bulk.cursor, upto, free)
    is_last = is_last and (is_one or now_ms >= bulk.asked_ms + BORDER_MS)
    if at == bulk.cursor and not is_last:
        return None
    return _Next(bulk.id, bulk.cursor, ids, at, is_last, stored=True)


def _ended(session: Session, waiting: list[int]) -> dict[int, str | None]:
    """Return the queued deliveries that ended again, with their state; None for purged ones."""
    rows = session.execute(select(Delivery.id, Delivery.state).where(Delivery.id.in_(waiting)))
    states: dict[int, str] = {row.id: row.state for row in rows}
    return {each: states.get(each) for each in waiting if states.get(each) not in WAITING}


def _write(
    session: Session,
    bulk_id: int,
    coming: _Next | None,
    *,
    is_gone: bool,
    numbers: Sequence[int] = (),
) -> int:
    """Store the ended ones; queue the next unless another process did; return how many.

    New deliveries of stored events get the first of `numbers`.
    """
    bulk = session.get(BulkResend, bulk_id, with_for_update=True)
    webhook = None if bulk is None else _webhook(session, bulk.webhook_id)
    if bulk is None or webhook is None:
        return 0
    ended = _ended(session, bulk.waiting)
    arrived = sum(state == DeliveryState.DELIVERED for state in ended.values())
    bulk.delivered += arrived
    bulk.failed += len(ended) - arrived
    bulk.waiting = [each for each in bulk.waiting if each not in ended]
    if bulk.state != BulkState.RUNNING:
        return 0
    if is_gone:
        bulk.end(BulkState.CANCELLED)
    if coming is None or bulk.cursor != coming.after or hold(webhook) is not None:
        return 0
    session.flush()
    if coming.stored:
        queued = queue_stored(session, webhook, coming.ids, numbers)
        bulk.upto = max(bulk.upto, coming.upto)
    else:
        queued = queue_again(session, webhook, coming.ids, bulk.wanted.states)
    bulk.cursor = coming.upto
    bulk.queued += len(queued)
    bulk.skipped += len(coming.ids) - len(queued)
    bulk.waiting = [*bulk.waiting, *queued]
    if coming.is_last:
        bulk.end(BulkState.FINISHED)
    return len(queued)
