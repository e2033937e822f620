"""Writes what this process is and does, so that any process can show it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from webhookproxy.database.clock import ms_now
from webhookproxy.database.schema import is_current
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.engine.health import Counts, Health
from webhookproxy.engine.processes.load import LoadMeter
from webhookproxy.models.installation.processes import Role
from webhookproxy.version import __version__

BEAT_SECONDS = 10.0
# How soon a change of the role is written.
PAUSE = 1.0
# After this time without a sign of life, or with one that is so far in the future (the clock
# was set back), a row is removed.
FORGET_MS = 300_000

_WRITE = text(
    "INSERT INTO processes (name, host, pid, version, started_at, seen_at, role, role_since,"
    " sockets_wished, sockets_connected, events_per_second, deliveries_per_second, core_share,"
    " memory_bytes) VALUES (:name, :host, :pid, :version, :now - :age, :now, :role, :now,"
    " :wished, :connected, :events, :deliveries, :core, :memory)"
    " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, role_since = CASE"
    " WHEN processes.role = excluded.role THEN processes.role_since ELSE excluded.role_since END,"
    " role = excluded.role, sockets_wished = excluded.sockets_wished,"
    " sockets_connected = excluded.sockets_connected,"
    " events_per_second = excluded.events_per_second,"
    " deliveries_per_second = excluded.deliveries_per_second, core_share = excluded.core_share,"
    " memory_bytes = excluded.memory_bytes"
)
_FORGET = text("DELETE FROM processes WHERE seen_at NOT BETWEEN :now - :most AND :now + :most")
_LEAVE = text("DELETE FROM processes WHERE name = :name")


class Presence:
    """The row of this process. A background job of every process, whatever its role."""

    pause = PAUSE

    def __init__(
        self,
        store: Store,
        name: str,
        role: Callable[[], Role],
        health: Callable[[], Health],
        counts: Callable[[], Counts],
    ) -> None:
        self._store = store
        self._name = name
        self._role = role
        self._health = health
        self._meter = LoadMeter(counts)
        self._began = time.monotonic()
        self._written: Role | None = None
        self._next = 0.0

    def step(self) -> bool:
        """Write the row if it is due, or the role changed; return whether it was written."""
        role, now = self._role(), time.monotonic()
        if role is self._written and now < self._next:
            return False
        self._next = now + BEAT_SECONDS
        # Late: it takes its locks after those of the events and deliveries in the same commit.
        if self._store.run(partial(_write, values=self._values(role)), late=True):
            self._written = role
        return True

    def leave(self) -> None:
        """Remove the row: this process ends. One that stays is removed later by any process."""
        if self._written is not None:
            with suppress(StoreUnavailable):
                self._store.run(partial(_remove, name=self._name), late=True)

    def _values(self, role: Role) -> dict[str, Any]:
        health, load = self._health(), self._meter.measure()
        return {
            "name": self._name,
            "host": socket.gethostname()[:64],
            "pid": os.getpid(),
            "version": __version__[:32],
            "now": ms_now(),
            "age": round((time.monotonic() - self._began) * 1000),
            "role": role.value,
            "wished": health.sockets_wished,
            "connected": health.sockets_connected,
            "events": load.events_per_second,
            "deliveries": load.deliveries_per_second,
            "core": load.core_share,
            "memory": load.memory_bytes,
            "most": FORGET_MS,
        }


def _write(connection: Connection, *, values: dict[str, Any]) -> bool:
    """Write the row and remove those of the dead; False if the schema has no such table yet."""
    if not is_current(connection):
        return False
    connection.execute(_WRITE, values)
    connection.execute(_FORGET, values)
    return True


def _remove(connection: Connection, *, name: str) -> None:
    connection.execute(_LEAVE, {"name": name})
