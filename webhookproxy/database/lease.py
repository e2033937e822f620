"""Who owns the sockets: one process at a time, and how the next one takes over."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from functools import partial
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

import gevent
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from webhookproxy.database.connections import postgresql_arguments
from webhookproxy.database.store import Store

logger = logging.getLogger(__name__)

SHARD = 0
# An owner that has not said for so long that it lives may live no more: nothing shows green.
HEARTBEAT_MS = 10_000
# Any number, as long as every process of this program uses the same.
_ADVISORY_KEY = 0x3C9_0000 + SHARD

# PostgreSQL frees the lock of an owner that was stopped, or whose host is gone without a word,
# after so long: more than a draining owner needs, which beats no more (engine.STOP_SECONDS).
SILENCE_MS = 30_000
# An owner cut off from the database must not wait for ever to learn whether it still is one.
ANSWER_SECONDS = 10.0

_CLOCK = {
    # unixepoch('subsec') would need SQLite 3.42.
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


_LIMIT_SILENCE = text(
    "SELECT set_config(name, :limit, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)


class Lock(Protocol):
    """A lock that the operating system or the database frees when its holder dies."""

    def take(self) -> bool:
        """Whether this process holds the lock now; never waits."""

    def held(self) -> bool:
        """Whether it still does."""

    def free(self) -> None:
        """Let the next process have it."""


class FileLock:
    """flock on a file beside the SQLite database: gone with its process, even by kill -9."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """See Lock."""
        if self._file is not None:
            return True
        file = self._path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def held(self) -> bool:
        """See Lock."""
        return self._file is not None

    def free(self) -> None:
        """See Lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


class AdvisoryLock:
    """A PostgreSQL session lock: gone with its connection."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=postgresql_arguments(),
        )
        self._connection: Connection | None = None

    def take(self) -> bool:
        """See Lock."""
        if self._connection is not None:
            return self.held()
        connection = None
        try:
            connection = self._engine.connect()
            query = text("SELECT pg_try_advisory_lock(:key)")
            if connection.execute(query, {"key": _ADVISORY_KEY}).scalar():
                # Older servers than PostgreSQL 14 have no such setting: then nothing is set.
                connection.execute(_LIMIT_SILENCE, {"limit": str(SILENCE_MS)})
                self._connection = connection
                return True
        except SQLAlchemyError as error:
            logger.warning("cannot ask PostgreSQL for the lease: %s", type(error).__name__)
        if connection is not None:
            connection.close()
        return False

    def held(self) -> bool:
        """See Lock."""
        if self._connection is None:
            return False
        try:
            with gevent.Timeout(ANSWER_SECONDS):
                self._connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, gevent.Timeout):
            self.free()
            return False
        return True

    def free(self) -> None:
        """See Lock."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


class Ownership:
    """The lease of the one shard there is, and the fence that keeps a former owner out."""

    def __init__(self, store: Store, lock: Lock) -> None:
        self._store = store
        self._lock = lock
        self._holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:12]}"
        self.fence: int | None = None
        # Whether no other process owned the sockets since this one last did.
        self.continued = False

    def take(self) -> bool:
        """Become the owner if nobody is; True if this process owns the sockets afterwards."""
        if not self._lock.take():
            return False
        if self.fence is None:
            try:
                self.fence, self.continued = self._store.run(
                    partial(_raise_fence, holder=self._holder)
                )
            except Exception:
                self._lock.free()
                raise
        return True

    def beat(self, failing_since: float | None = None) -> bool:
        """Say that the owner lives; False if it is the owner no longer.

        `failing_since`: the wall second from which on it could not store events; None if it can.

        A database that takes no writes does not end ownership: the lock still keeps others out.
        Raises StoreUnavailable then.
        """
        if self.fence is None or not self._lock.held():
            self.fence = None
            return False
        fence = self.fence
        since_ms = None if failing_since is None else round(failing_since * 1000)
        self._store.run(partial(_beat, failing_since_ms=since_ms), fence=fence)
        return True

    def release(self) -> None:
        """Let another process become the owner at once."""
        self.fence = None
        self._lock.free()


def lock_for(url: str) -> Lock:
    """The lock that goes with a database."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return AdvisoryLock(url)
    return FileLock(Path(f"{parsed.database}.lock"))


def _raise_fence(connection: Connection, *, holder: str) -> tuple[int, bool]:
    """The new fence, and whether the holder before was the same."""
    clock = _CLOCK[connection.dialect.name]
    query = text(f"SELECT holder FROM leases WHERE shard = {SHARD}")
    continued = connection.execute(query).scalar() == holder
    statement = text(
        "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id, last_delivery_id)"
        f" VALUES (:shard, 1, :holder, {clock}, 0, 0)"
        " ON CONFLICT (shard) DO UPDATE SET fence = leases.fence + 1, holder = excluded.holder"
        " RETURNING fence"
    )
    values = {"shard": SHARD, "holder": holder}
    return int(connection.execute(statement, values).scalar_one()), continued


def _beat(connection: Connection, *, failing_since_ms: int | None) -> None:
    clock = _CLOCK[connection.dialect.name]
    statement = f"UPDATE leases SET heartbeat_at = {clock}, failing_since = :since"
    connection.execute(text(f"{statement} WHERE shard = {SHARD}"), {"since": failing_since_ms})


def owner_seen_ms(connection: Connection) -> int | None:
    """How long ago the owner last said that it lives, in milliseconds; None if there never was."""
    clock = _CLOCK[connection.dialect.name]
    query = f"SELECT {clock} - heartbeat_at FROM leases WHERE shard = {SHARD}"
    return connection.execute(text(query)).scalar()
