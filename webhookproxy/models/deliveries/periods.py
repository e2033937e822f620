"""Turns times into numbers of events and deliveries, which grow with the time of arrival."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from webhookproxy.models.deliveries.tables import Delivery

# The range is halved each time, so a few dozen steps into the index of numbers do for any number of
# events: times have no index. All in one statement, because each costs much more than a step.
_FIRST_EVENT = text(
    "WITH RECURSIVE halves (low, high) AS ("
    # Two queries: SQLite finds one end in the index at once, but reads it all for both together.
    "SELECT COALESCE((SELECT MIN(id) FROM events), 0),"
    " COALESCE((SELECT MAX(id) FROM events) + 1, 0)"
    " UNION ALL SELECT CASE WHEN e.received_ms < :moment THEN e.id + 1 ELSE h.low END,"
    " CASE WHEN e.received_ms < :moment THEN h.high ELSE (h.low + h.high) / 2 END"
    " FROM halves h JOIN events e"
    " ON e.id = (SELECT MIN(m.id) FROM events m WHERE m.id >= (h.low + h.high) / 2)"
    " WHERE h.low < h.high"
    ") SELECT low FROM halves WHERE low >= high"
)


def first_event(session: Session, moment_ms: int) -> int:
    """Return the lowest number whose events arrived at that moment or later.

    It may be a number without an event.
    """
    return int(session.execute(_FIRST_EVENT, {"moment": moment_ms}).scalar_one())


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
