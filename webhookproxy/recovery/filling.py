"""Fills the ledger of histories with the events that were stored before there was a ledger."""

from __future__ import annotations

import gevent
import orjson
from sqlalchemy import Connection, Engine, text

from webhookproxy.database.store import Store
from webhookproxy.events.recovery.histories import HISTORY, history_id
from webhookproxy.models.recovery.call_histories import Seen, note_histories

# Numbers of events that one step goes through.
SPAN = 1_000

_AFTER = text("SELECT histories_after FROM leases WHERE shard = 0")
_ENDS = text("SELECT COALESCE(MIN(id), 0) AS first, COALESCE(MAX(id), 0) AS last FROM events")
_HISTORIES = text(
    "SELECT id, company_id, payload, received_ms FROM events"
    " WHERE id > :after AND id <= :upto AND name = :name ORDER BY id"
)
_NOTE = text("UPDATE leases SET histories_after = :after WHERE shard = 0")


class Filling:
    """Goes on where the last owner stopped; what is stored meanwhile is in the ledger already."""

    def __init__(self, store: Store, reading: Engine) -> None:
        self._store = store
        self._reading = reading
        self.is_done = False

    def step(self, fence: int) -> None:
        """Fill in the histories of the next events."""
        with self._reading.connect() as connection:
            after = connection.execute(_AFTER).scalar()
            if after is None:
                self.is_done = True
                return
            first, last = connection.execute(_ENDS).one()
            after = max(after, first - 1)
            upto = after + SPAN
            given = {"after": after, "upto": upto, "name": HISTORY}
            found = connection.execute(_HISTORIES, given).all()
        seen: list[Seen] = []
        for row in found:
            if key := _id_in(row.payload):
                seen.append(Seen((row.company_id, key), row.received_ms, row.id))
            gevent.sleep(0)
        is_last = upto >= last

        def job(connection: Connection) -> None:
            if seen:
                note_histories(connection, seen)
            connection.execute(_NOTE, {"after": None if is_last else upto})

        self._store.run(job, fence=fence)


def _id_in(payload: str) -> str:
    try:
        return history_id(orjson.loads(payload))
    except ValueError:
        return ""
