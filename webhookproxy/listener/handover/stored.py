"""What the owner of the sockets stored while its successor opened its own."""

from __future__ import annotations

from sqlalchemy import Engine, text

from webhookproxy.listener.alignment.numbers import number_of
from webhookproxy.models.events import newest_event

# Rows read at a time.
GROUP = 500

# No socket brought what was recovered.
_STORED = text(
    "SELECT id, company_id, name, payload FROM events WHERE id > :after AND NOT recovered"
    " ORDER BY id LIMIT :most"
)


class Stored:
    """Reads the events that were stored since it was made, a group at a time."""

    def __init__(self, reading: Engine) -> None:
        self._reading = reading
        with reading.connect() as connection:
            self._last = newest_event(connection)

    def group(self) -> list[tuple[int, int]]:
        """Return the next GROUP events at most: the company, and the number of the event's text."""
        with self._reading.connect() as connection:
            values = {"after": self._last, "most": GROUP}
            rows = connection.execute(_STORED, values).all()
        if rows:
            self._last = rows[-1].id
        return [(row.company_id, number_of(row.name, row.payload)) for row in rows]
