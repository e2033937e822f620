"""Turns times into numbers of events and deliveries, which grow with the time of arrival."""

from __future__ import annotations

import gevent
from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.orm import Session

from webhookproxy.models.deliveries.tables import Delivery

# Deliveries that are read past in one statement.
_ROUND = 2_000

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

    Deliveries are numbered in the order of their events. Only those that a user asked for later
    have higher numbers, so they are read past, in rounds. They count from when they were made.
    """
    after, limit = (first_event(session, moment_ms), 0), 1
    lowest: int | None = None
    while rows := session.execute(_deliveries_after(*after, limit)).all():
        for row in rows:
            lowest = min(lowest or row.id, int(row.id))
            if not row.sent_later:
                return lowest
        after, limit = (rows[-1].event_id, rows[-1].id), _ROUND
        gevent.sleep(0)
    return lowest or (session.scalar(select(func.max(Delivery.id))) or 0) + 1


def _deliveries_after(event_id: int, delivery_id: int, limit: int) -> Select[int, int, bool | None]:
    return (
        select(Delivery.id, Delivery.event_id, Delivery.sent_later)
        .where(Delivery.event_id >= event_id)
        .where(or_(Delivery.event_id > event_id, Delivery.id > delivery_id))
        .order_by(Delivery.event_id, Delivery.id)
        .limit(limit)
    )
