"""Finds the ordering keys of calls of which other events are stored: a recovered one joins them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webhookproxy.events.recovery.histories import Row, id_of
from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.index.tables import read_state
from webhookproxy.search.question import Question

# Shorter ids of calls may be anything.
_SHORTEST = 6
# Events that are not indexed yet are read one by one: with more of them, nothing is looked for.
BEHIND_MOST = 200

_ONE_TOO_MANY = text("SELECT 1 FROM events WHERE id > :cursor LIMIT 1 OFFSET :most")
# The payload is looked at here, not parsed: the index knows the beginnings of values.
_KEY = text(
    "SELECT order_key FROM events WHERE id = :id AND company_id = :company"
    " AND order_key LIKE 'call:%' AND payload LIKE :sid"
)


class CallKeys:
    """Looks calls up by their `sid`, which 3C Plus gives with its list and with its events."""

    def __init__(self, reading: Engine, place: SearchPlace) -> None:
        self._reading = reading
        self._place = place

    def of(self, company_id: int, rows: Sequence[Row]) -> dict[str, str]:
        """Return the keys that were found, by the ids of the calls' histories."""
        found: dict[str, str] = {}
        with Session(self._reading) as session:
            if not self._is_near(session):
                return found
            for row in rows:
                sid = row.get("sid")
                if not isinstance(sid, str) or len(sid) < _SHORTEST or not sid.isalnum():
                    continue
                if key := self._key(session, company_id, sid):
                    found[id_of(row)] = key
        return found

    def _is_near(self, session: Session) -> bool:
        """Return whether the index has nearly all events."""
        try:
            with self._place.reading(session) as index:
                state = None if index is None else read_state(index)
        except DBAPIError:
            state = None
        given = {"cursor": 0 if state is None else state.cursor, "most": BEHIND_MOST}
        return session.execute(_ONE_TOO_MANY, given).first() is None

    def _key(self, session: Session, company_id: int, sid: str) -> str:
        question = Question(frozenset({company_id}), words=sid)
        for event_id in ask(session, self._place, question, 1).ids:
            given = {"id": event_id, "company": company_id, "sid": f'%"{sid}"%'}
            return session.execute(_KEY, given).scalar() or ""
        return ""
