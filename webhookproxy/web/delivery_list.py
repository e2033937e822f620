"""Which deliveries a list shows: every query looks at a bounded number of rows, found by index."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select, text, union_all
from sqlalchemy.orm import Session

from webhookproxy.models import Delivery, Event
from webhookproxy.models.deliveries import ENDED_BADLY, OPEN
from webhookproxy.reasons import DeliveryState

PAGE = 50
# How many rows are looked at for one page, where no index knows the name of the event.
LOOK_AT = 20_000
# A list of so many webhooks or fewer reads each one's own index; beyond, the rows in their order.
APART_MAX = 40

_OPEN = ("queued", "retrying")
_BAD = ("refused", "expired", "cancelled")
# The conditions of the partial indices, to the letter.
_INDEXED = {_OPEN: OPEN, _BAD: ENDED_BADLY}

# By the word in the address: the name on the page, and the states.
STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("Todas", ()),
    "entregue": ("Entregues", ("delivered",)),
    "aguardando": ("Esperando", _OPEN),
    "falhou": ("Recusadas ou expiradas", ("refused", "expired")),
    "recusada": ("Recusadas", ("refused",)),
    "expirada": ("Expiradas", ("expired",)),
    "cancelada": ("Canceladas", ("cancelled",)),
    "simulada": ("Simuladas", ("simulated",)),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is asked for; `since_ms` and `until_ms` bound the time of arrival."""

    webhooks: Collection[int]
    states: tuple[str, ...] = ()
    event: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    # Only rows older than this delivery: the next page.
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One delivery of a list."""

    id: int
    webhook_id: int
    event: str
    order_key: str
    state: DeliveryState
    reason: str
    received_ms: int
    attempts: int
    status: int | None
    due_ms: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `next_before` leads on (None: there is no more); `cut_ms` is how far back
    the search came when it had looked at enough rows for once."""

    rows: list[Found]
    next_before: int | None
    cut_ms: int | None


def find(session: Session, wanted: Wanted) -> Page:
    """One page of the deliveries that are wanted."""
    if not wanted.webhooks:
        return Page([], None, None)
    looked_at = _candidates(session, wanted)
    matching = select(looked_at, Event.name, Event.received_ms).join(
        Event, Event.id == looked_at.c.event_id
    )
    if wanted.event:
        matching = matching.where(Event.name == wanted.event)
    rows = session.execute(matching.order_by(looked_at.c.id.desc()).limit(PAGE + 1)).all()
    found = [_found(row) for row in rows[:PAGE]]
    if len(rows) > PAGE:
        return Page(found, found[-1].id, None)
    return _end(session, found, looked_at)


def _end(session: Session, found: list[Found], looked_at: Any) -> Page:
    """The last page, or the last one for as many rows as are looked at for once."""
    count, lowest = session.execute(select(func.count(), func.min(looked_at.c.id))).one()
    if count < LOOK_AT:
        return Page(found, None, None)
    cut = select(Event.received_ms).join(Delivery, Delivery.event_id == Event.id)
    return Page(found, lowest, session.scalar(cut.where(Delivery.id == lowest)))


def _candidates(session: Session, wanted: Wanted) -> Any:
    """The newest LOOK_AT rows that the indices can tell apart, as a subquery."""
    limits = _limits(session, wanted)
    apart = sorted(wanted.webhooks)
    if len(apart) > APART_MAX:
        everybody = Delivery.webhook_id.in_(apart)
        query = select(*_COLUMNS).where(everybody, *limits)
        return query.order_by(Delivery.id.desc()).limit(LOOK_AT).subquery()
    parts = [
        select(*_COLUMNS)
        .where(Delivery.webhook_id == webhook_id, *limits)
        .order_by(Delivery.id.desc())
        .limit(LOOK_AT)
        .subquery()
        for webhook_id in apart
    ]
    merged = union_all(*(select(part) for part in parts)).subquery()
    return select(merged).order_by(merged.c.id.desc()).limit(LOOK_AT).subquery()


_COLUMNS = (
    Delivery.id,
    Delivery.event_id,
    Delivery.webhook_id,
    Delivery.order_key,
    Delivery.state,
    Delivery.reason,
    Delivery.attempts,
    Delivery.status,
    Delivery.due_ms,
)


def _limits(session: Session, wanted: Wanted) -> list[Any]:
    limits: list[Any] = []
    if wanted.states:
        limits.append(Delivery.state.in_(wanted.states))
        # Said in so many words, because that is how the database knows its partial index again.
        kinds = [states for states in (_OPEN, _BAD) if set(wanted.states) <= set(states)]
        limits += [text(_INDEXED[states]) for states in kinds]
    if wanted.before is not None:
        limits.append(Delivery.id < wanted.before)
    if wanted.since_ms is not None:
        limits.append(Delivery.id >= _first_delivery(session, wanted.since_ms))
    if wanted.until_ms is not None:
        limits.append(Delivery.id < _first_delivery(session, wanted.until_ms))
    return limits


def _first_delivery(session: Session, moment_ms: int) -> int:
    """The lowest delivery of the events that came from that moment on."""
    event_id = first_event(session, moment_ms)
    # Deliveries are numbered with their events: the first event that has any tells.
    query = (
        select(Delivery.id)
        .where(Delivery.event_id >= event_id)
        .order_by(Delivery.event_id)
        .limit(1)
    )
    found = session.scalar(query)
    return found if found is not None else (session.scalar(select(func.max(Delivery.id))) or 0) + 1


def first_event(session: Session, moment_ms: int) -> int:
    """The lowest event that came at that moment or later: events are numbered as they come.

    Time has no index, so this halves the range of numbers: a few dozen reads by primary key.
    """
    low, high = session.execute(select(func.min(Event.id), func.max(Event.id))).one()
    if low is None:
        return 0
    high += 1
    while low < high:
        middle = (low + high) // 2
        query = select(Event.id, Event.received_ms).where(Event.id >= middle)
        row = session.execute(query.order_by(Event.id).limit(1)).one_or_none()
        if row is None or row.received_ms >= moment_ms:
            high = middle
        else:
            low = row.id + 1
    return int(low)


def _found(row: Any) -> Found:
    return Found(
        id=row.id,
        webhook_id=row.webhook_id,
        event=row.name,
        order_key=row.order_key,
        state=DeliveryState(row.state),
        reason=row.reason,
        received_ms=row.received_ms,
        attempts=row.attempts,
        status=row.status,
        due_ms=row.due_ms,
    )


def siblings(session: Session, event_id: int, but: int) -> Sequence[Delivery]:
    """The other deliveries of an event."""
    query = select(Delivery).where(and_(Delivery.event_id == event_id, Delivery.id != but))
    return session.scalars(query.order_by(Delivery.id).limit(PAGE)).all()


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return round(time.time() * 1000)
