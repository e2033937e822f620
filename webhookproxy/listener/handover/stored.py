"""What the owner of the sockets stored while its successor opened its own."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.fence import Share
from webhookproxy.listener.alignment.numbers import number_of
from webhookproxy.models.events import newest_event
from webhookproxy.models.installation.numbers import span

# Rows read at a time.
GROUP = 500

# Numbers of two owners are in the order of time, but for this much.
APART_MS = 60_000

# No socket brought what was recovered.
_STORED = (
    "SELECT id, company_id, name, payload FROM events WHERE id > :after AND NOT recovered{share}"
    " ORDER BY id LIMIT :most"
)
_NEWEST = "SELECT MAX(id) FROM events WHERE id > :after{share}"


class Stored:
    """Reads the events of a share that were stored since it was made, a group at a time."""

    def __init__(self, reading: Engine, share: Share) -> None:
        self._reading = reading
        self._query = text(_STORED.format(share=share.where("company_id")))
        with reading.connect() as connection:
            self._last = _newest(connection, share)

    def group(self) -> list[tuple[int, int]]:
        """Return the next GROUP events at most: the company, and the number of the event's text."""
        with self._reading.connect() as connection:
            values = {"after": self._last, "most": GROUP}
            rows = connection.execute(self._query, values).all()
        if rows:
            self._last = rows[-1].id
        return [(row.company_id, number_of(row.name, row.payload)) for row in rows]


def _newest(connection: Connection, share: Share) -> int:
    """Return a number that all events of a share which are stored later are above."""
    newest = newest_event(connection)
    if share.is_whole:
        return newest
    # Other owners may have given higher numbers than this share's owner gives next.
    after = max(0, newest - span(APART_MS))
    query = text(_NEWEST.format(share=share.where("company_id")))
    return connection.execute(query, {"after": after}).scalar() or after
