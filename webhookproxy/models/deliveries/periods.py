"""From when to when, as numbers of deliveries: time has no index, but numbers grow with arrival."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.models.events import Event


def first_event(session: Session, moment_ms: int) -> int:
    """The number from which on the events came at that moment or later.

    It need not be an event's own: numbers may have gaps. This halves their range: a few dozen
    reads by primary key, however many events there are.
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
    """The lowest number of an event, and one past the highest."""
    # Two queries: SQLite finds one end in the index at once, but reads it all for both together.
    lowest = session.scalar(select(func.min(Event.id)))
    highest = session.scalar(select(func.max(Event.id)))
    return (0, 0) if lowest is None or highest is None else (lowest, highest + 1)


def first_delivery(session: Session, moment_ms: int) -> int:
    """The lowest delivery of the events that came from that moment on; one past the last if none.

    Deliveries are numbered with their events: the first event that has any tells.
    """
    query = (
        select(Delivery.id)
        .where(Delivery.event_id >= first_event(session, moment_ms))
        .order_by(Delivery.event_id, Delivery.id)
        .limit(1)
    )
    found = session.scalar(query)
    return found if found is not None else (session.scalar(select(func.max(Delivery.id))) or 0) + 1
