"""Turns times into numbers of events and deliveries, which grow with the time of arrival."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.models.events import Event


def first_event(session: Session, moment_ms: int) -> int:
    """Return the lowest number whose events arrived at that moment or later.

    It may be a number without an event. The range is halved each time, which takes a few dozen
    reads by primary key for any number of events: times have no index.
    """
    low, high = _bounds(session)
    while low < high:
        middle = (low + high) // 2
        query = select(Event.id, Event.received_ms).where(Event.id >= middle)
        row = session.execute(query.order_by(Event.id).limit(1)).one_or_none()
        if row is None or row.received_ms >= moment_ms:
            high = middle
        else:
            low = row.id + 1
    return low


def _bounds(session: Session) -> tuple[int, int]:
    """Return the lowest number of an event, and one more than the highest."""
    # Two queries: SQLite finds one end in the index at once, but reads it all for both together.
    lowest = session.scalar(select(func.min(Event.id)))
    highest = session.scalar(select(func.max(Event.id)))
    return (0, 0) if lowest is None or highest is None else (lowest, highest + 1)


def first_delivery(session: Session, moment_ms: int) -> int:
    """Return the first delivery of the events from that moment on, else one more than the last.

    Deliveries are numbered in the order of their events.
    """
    query = (
        select(Delivery.id)
        .where(Delivery.event_id >= first_event(session, moment_ms))
        .order_by(Delivery.event_id, Delivery.id)
        .limit(1)
    )
    found = session.scalar(query)
    return found if found is not None else (session.scalar(select(func.max(Delivery.id))) or 0) + 1
