"""The facts of the calls of stored events, read from their payloads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gevent
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webhookproxy.events.call_facts import CallFacts, Value, facts_in, values_in
from webhookproxy.models.events import Event

# A longer payload is not parsed for a list: its event has no facts there.
PAYLOAD_MAX = 64_000
# Events of one read, and the characters after which the sockets get their turn.
_READ = 60
_PAUSE_AFTER = 128_000


def facts_of_events(session: Session, ids: Sequence[int]) -> dict[int, CallFacts]:
    """Return the facts of these events, in one read for a page of a list."""
    return {event_id: facts_in(payload) for event_id, payload in _payloads(session, ids)}


def values_of_events(session: Session, ids: Sequence[int]) -> dict[int, list[Value]]:
    """Return the values of these events' facts as they came, each with its path."""
    return {event_id: values_in(payload) for event_id, payload in _payloads(session, ids)}


def _payloads(session: Session, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the payload of each event, "" for a long one; other greenlets run meanwhile."""
    # Not by length(): SQLite would count the characters of a megabyte.
    is_short = func.substr(Event.payload, PAYLOAD_MAX + 1, 1) == ""
    short = case((is_short, Event.payload), else_="")
    unpaused = 0
    for begin in range(0, len(ids), _READ):
        some = ids[begin : begin + _READ]
        query = select(Event.id, short.label("payload")).where(Event.id.in_(some))
        for event_id, payload in session.connection().execute(query):
            yield event_id, payload
            # A payload that was too long was still read to be measured.
            unpaused += len(payload) or PAYLOAD_MAX
            if unpaused >= _PAUSE_AFTER:
                gevent.sleep(0)
                unpaused = 0
