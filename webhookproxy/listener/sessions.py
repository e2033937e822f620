"""What a server keeps of a socket that was lost, and what must be known here to ask for it.

A Socket.IO server with connection state recovery keeps a socket's session for a while. It gives the
session an id, and each event an offset. To a new socket that names both it sends what came after
that event, and then gives it the old socket's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import gevent
from sqlalchemy import text
from sqlalchemy.orm import Session as DatabaseSession
from sqlalchemy.orm import object_session

from webhookproxy.config.keys import KeyringError
from webhookproxy.database.clock import utc_now
from webhookproxy.events import payload
from webhookproxy.listener.alignment.numbers import number_of
from webhookproxy.listener.alignment.replay import Replay, Replayed
from webhookproxy.models.companies import Company
from webhookproxy.models.types import keyring

# A server keeps a session for minutes.
KEPT = timedelta(hours=24)
# At most this number of events is remembered by their texts; after more, nothing is asked for.
REPLAYED_MAX = 20_000
# Rows read at a time: others have their turn in between.
GROUP = 250
_ID_MAX = 2**63 - 1


class Session:
    """A socket's session: its two ids, and the place up to which its events were taken.

    The place is the offset of an event, and how many events without an offset came after it. Some
    servers add none to what they send again, and so send these again the next time too.
    """

    def __init__(
        self, socket_id: str, pid: str, fingerprint: str, offset: str = "", had: Sequence[int] = ()
    ) -> None:
        self.socket_id = socket_id
        self._pid = pid
        self._offset = offset
        self._replay = Replay(had)
        # Whether nothing may be asked for any more: the company was disconnected, or its token
        # changed.
        self.is_over = False
        # The id of the session is as good as a token.
        self.sealed = keyring().encrypt(json.dumps([socket_id, pid, fingerprint]))

    @property
    def place(self) -> Place:
        """Return up to where events were taken."""
        return Place(self, self._offset, len(self._replay))

    def begin(self) -> Mapping[str, str] | None:
        """Return what asks a server for what was missed; None if that cannot be asked for."""
        self._replay.begin()
        if self.is_over or not self._offset or len(self._replay) > REPLAYED_MAX:
            return None
        return {"pid": self._pid, "offset": self._offset}

    def is_recovered(self, socket_id: str, pid: str) -> bool:
        """Return whether a server that answers with these ids has sent what was missed."""
        return bool(self._offset) and (socket_id, pid) == (self.socket_id, self._pid)

    def take(self, offset: str) -> None:
        """Note that an event with this offset was taken."""
        self._offset = offset
        self._replay.clear()

    def take_again(self, event: int) -> Replayed:
        """Note an event without an offset that a server sends because it was missed."""
        return self._replay.take(event)


class Place(NamedTuple):
    """A place in a session: an offset, and how many events without one were taken after it."""

    session: Session
    offset: str
    replayed: int

    def columns(self) -> tuple[str | None, str | None, int | None]:
        """Return what is stored with the events up to this place."""
        if self.session.is_over or not self.offset:
            return NOWHERE
        return self.session.sealed, self.offset, self.replayed


# What is stored with events of a socket that has no session.
NOWHERE = (None, None, None)


def stored_session(company: Company) -> Session | None:
    """Return the session of a company's last socket as it was committed with the events.

    None without one, if it is too old, or if it was another token's.
    """
    row, database = company.connection, object_session(company)
    if row.session_offset is None or row.last_event_at is None or database is None:
        return None
    if row.last_event_at < utc_now() - KEPT:
        return None
    try:
        socket_id, pid, fingerprint = json.loads(row.session or "null")
    except (KeyringError, ValueError, TypeError):
        # Its key is gone: what was missed is lost, and nothing else.
        return None
    if fingerprint != company.token_fingerprint:
        return None
    had = _newest_numbers(database, company.id, row.session_replayed or 0)
    return Session(socket_id, pid, fingerprint, row.session_offset, had)


def event_number(text: str, hide_credentials: bool) -> int:
    """Return the number that an event will have as it is stored; another if it is unreadable."""
    try:
        event = payload.read(text, hide_credentials)
    except (payload.TooLarge, payload.Unreadable):
        return hash(text)
    return number_of(event.name, event.payload)


_NEWEST = text(
    "SELECT id, name, payload FROM events WHERE company_id = :company AND id < :before"
    " AND NOT recovered ORDER BY id DESC LIMIT :most"
)


def _newest_numbers(database: DatabaseSession, company_id: int, count: int) -> list[int]:
    """Return the numbers of the `count` newest events of a company's sockets, in order."""
    numbers: list[int] = []
    before, left = _ID_MAX, min(count, REPLAYED_MAX)
    while left > 0:
        values = {"company": company_id, "before": before, "most": min(left, GROUP)}
        rows = database.execute(_NEWEST, values).all()
        numbers += [number_of(row.name, row.payload) for row in rows]
        left = left - GROUP if len(rows) == GROUP else 0
        if left > 0:
            before = rows[-1].id
            gevent.sleep(0)
    return numbers[::-1]
