"""Events as a list shows them, each with its deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.events.call_facts import NO_FACTS, CallFacts
from webhookproxy.models import Delivery, Event, Webhook
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.reasons import EVENT_WORDS, DeliveryState, EventNote

LATEST = 15


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery of an event, as a list shows it; `is_there`: its webhook is not deleted."""

    id: int
    webhook: str
    state: DeliveryState
    resends: int
    status: int | None
    ended_ms: int | None
    is_there: bool
    sent_later: bool | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """One event: `note` says why it has no deliveries, if it has none; `facts` are its call's."""

    id: int
    public_id: str
    company_id: int
    name: str
    order_key: str
    received_ms: int
    dues: tuple[Due, ...]
    note: str
    facts: CallFacts


def latest_arrivals(session: Session, company_id: int, count: int = LATEST) -> list[Arrival]:
    """Return the newest events of a company, newest first, in four indexed reads."""
    query = select(Event.id).where(Event.company_id == company_id)
    return arrivals_of(session, session.scalars(query.order_by(Event.id.desc()).limit(count)).all())


def arrivals_of(session: Session, ids: Sequence[int]) -> list[Arrival]:
    """Return the events with these numbers that still exist, in order, in three indexed reads."""
    # Columns, not whole rows: long payloads are not read here.
    events = session.execute(
        select(
            Event.id,
            Event.public_id,
            Event.company_id,
            Event.name,
            Event.order_key,
            Event.received_ms,
            Event.note,
        ).where(Event.id.in_(ids))
    )
    by_id = {event.id: event for event in events}
    dues, facts = _dues(session, ids), facts_of_events(session, ids)
    return [
        Arrival(
            *event[:-1],
            tuple(dues[event.id]),
            _note(event.note, bool(dues[event.id])),
            facts.get(event.id, NO_FACTS),
        )
        for event in map(by_id.get, ids)
        if event is not None
    ]


def _dues(session: Session, event_ids: Sequence[int]) -> defaultdict[int, list[Due]]:
    found: defaultdict[int, list[Due]] = defaultdict(list)
    rows = session.execute(
        select(
            Delivery.id,
            Delivery.event_id,
            Delivery.state,
            Delivery.resends,
            Delivery.sent_later,
            Delivery.status,
            Delivery.ended_ms,
            Webhook.name,
            Webhook.deleted_at,
        )
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.event_id.in_(event_ids))
        .order_by(Delivery.id)
    )
    for row in rows:
        found[row.event_id].append(
            Due(
                *(row.id, row.name, DeliveryState(row.state), row.resends),
                *(row.status, row.ended_ms, row.deleted_at is None, row.sent_later),
            )
        )
    return found


def _note(note: str | None, has_dues: bool) -> str:
    if note is not None:
        return EVENT_WORDS[EventNote(note)].what
    return "" if has_dues else "Não há mais registro de entregas deste evento."
