"""Fills the ledger of histories with the events that were stored before there was a ledger."""

from __future__ import annotations

import gevent
import orjson
from sqlalchemy import Connection, Engine, text

from webhookproxy.database.fence import SHARD, Fence
from webhookproxy.database.store import Store
from webhookproxy.events.recovery.histories import HISTORY, history_id
from webhookproxy.models.recovery.call_histories import Seen, note_histories

# Events that one step goes through.
SPAN = 1_000
# Higher than any number.
_ANY = 1 << 62

_AFTER = text("SELECT histories_after FROM leases WHERE shard = 0")
_END = text("SELECT id FROM events WHERE id > :after ORDER BY id LIMIT 1 OFFSET :span")
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

    def step(self, fence: Fence) -> None:
        """Fill in the histories of the next events; only the owner of the first shard does."""
        with self._reading.connect() as connection:
            after = connection.execute(_AFTER).scalar()
            if after is None:
                self.is_done = True
            if after is None or SHARD not in fence.numbers:
                return
            upto = connection.execute(_END, {"after": after, "span": SPAN - 1}).scalar()
            given = {"after": after, "upto": _ANY if upto is None else upto, "name": HISTORY}
            found = connection.execute(_HISTORIES, given).all()
        seen: list[Seen] = []
        for row in found:
            if key := _id_in(row.payload):
                seen.append(Seen((row.company_id, key), row.received_ms, row.id))
            gevent.sleep(0)

        def job(connection: Connection) -> None:
            if seen:
                note_histories(connection, seen)
            connection.execute(_NOTE, {"after": upto})

        self._store.run(job, fence=fence)


def _id_in(payload: str) -> str:
    try:
        return history_id(orjson.loads(payload))
    except ValueError:
        return ""
