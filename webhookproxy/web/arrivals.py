"""The last events of a company, each with what became of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.models import Delivery, Event, Webhook
from webhookproxy.reasons import EVENT_WORDS, DeliveryState, EventNote

LATEST = 15


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery of an event, as a list shows it."""

    id: int
    webhook: str
    state: DeliveryState
    resends: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event: `note` says why it has no deliveries, if it has none."""

    public_id: str
    name: str
    order_key: str
    received_ms: int
    dues: tuple[Due, ...]
    note: str


def latest(session: Session, company_id: int, count: int = LATEST) -> list[Arrival]:
    """The newest events of a company, newest first; two indexed reads."""
    # Columns, not rows: payloads are large, and nobody reads them here.
    events = session.execute(
        select(
            Event.id, Event.public_id, Event.name, Event.order_key, Event.received_ms, Event.note
        )
        .where(Event.company_id == company_id)
        .order_by(Event.id.desc())
        .limit(count)
    ).all()
    dues = _dues(session, [event.id for event in events])
    return [
        Arrival(
            public_id=event.public_id,
            name=event.name,
            order_key=event.order_key,
            received_ms=event.received_ms,
            dues=tuple(dues[event.id]),
            note=_note(event.note, bool(dues[event.id])),
        )
        for event in events
    ]


def _dues(session: Session, event_ids: list[int]) -> defaultdict[int, list[Due]]:
    found: defaultdict[int, list[Due]] = defaultdict(list)
    rows = session.execute(
        select(Delivery.id, Delivery.event_id, Delivery.state, Delivery.resends, Webhook.name)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.event_id.in_(event_ids))
        .order_by(Delivery.id)
    )
    for row in rows:
        found[row.event_id].append(Due(row.id, row.name, DeliveryState(row.state), row.resends))
    return found


def _note(note: str | None, has_dues: bool) -> str:
    if note is not None:
        return EVENT_WORDS[EventNote(note)].what
    return "" if has_dues else "Não há mais registro de entregas deste evento."
