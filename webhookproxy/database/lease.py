"""Who owns the sockets: one process at a time, and how the next one takes over."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Protocol
from uuid import uuid4

import gevent
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from webhookproxy.config.keys import ConfigError
from webhookproxy.database.bulk import numbers
from webhookproxy.database.clock import database_clock
from webhookproxy.database.connections import postgresql_arguments
from webhookproxy.database.fence import SHARD, Fence, take_all
from webhookproxy.database.pooling import refuse_pooling
from webhookproxy.database.schema import is_current
from webhookproxy.database.store import Store, StoreUnavailable

logger = logging.getLogger(__name__)

# An owner whose heartbeat is older than this counts as dead; no connection is shown as connected.
HEARTBEAT_MS = 10_000
# Any number, as long as every process of this program uses the same.
_ADVISORY_KEY = 0x3C9_0000 + SHARD

# After this time PostgreSQL frees the lock of an owner that was stopped, or whose host is gone
# without a word. A draining owner, which sends no heartbeat, needs less (engine.STOP_SECONDS).
SILENCE_MS = 30_000
# An owner that is cut off from the database learns after this time that it is none.
ANSWER_SECONDS = 10.0
UNLOCK_SECONDS = 1.0

_KEY = {"key": _ADVISORY_KEY}
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_HELD = text(
    "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND pid = pg_backend_pid() AND classid = 0 AND objid = :key"
)
_LIMIT_SILENCE = text(
    "SELECT set_config(name, :limit, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)


class Lock(Protocol):
    """A lock that the operating system or the database frees when its holder dies."""

    def take(self) -> bool:
        """Return whether this process holds the lock now; never waits for another."""

    def held(self) -> bool:
        """Return whether this process still holds it."""

    def free(self) -> None:
        """Let the next process take it."""


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
    """A PostgreSQL session lock: gone with its connection.

    The connection stays open while another process holds the lock: asking for it again costs one
    statement. PostgreSQL ends a session that is silent for `silence_ms`; 0 is no limit.
    """

    def __init__(self, url: str, silence_ms: int = SILENCE_MS) -> None:
        self._engine: Engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=postgresql_arguments(),
        )
        self._silence_ms = silence_ms
        self._connection: Connection | None = None
        self._holds = False
        # What the last attempt failed with: said once, not at every attempt.
        self._trouble = ""

    def take(self) -> bool:
        """See Lock."""
        if self._holds:
            return self.held()
        trouble = ""
        try:
            with gevent.Timeout(ANSWER_SECONDS):
                self._holds = bool(self.connect().execute(_TRY, _KEY).scalar())
        except ConfigError as error:
            trouble = str(error)
        except (SQLAlchemyError, gevent.Timeout) as error:
            trouble = f"cannot ask PostgreSQL for the lease: {type(error).__name__}"
        if trouble:
            self.free()
            if trouble != self._trouble:
                logger.warning("%s", trouble)
        self._trouble = trouble
        return self.held()

    def held(self) -> bool:
        """See Lock."""
        if self._connection is None or not self._holds:
            return False
        try:
            with gevent.Timeout(ANSWER_SECONDS):
                self._holds = bool(self._connection.execute(_HELD, _KEY).scalar())
        except (SQLAlchemyError, gevent.Timeout):
            self._holds = False
        if not self._holds:
            self.free()
        return self._holds

    def free(self) -> None:
        """See Lock."""
        if self._connection is not None:
            if self._holds:
                # PostgreSQL sees a closed connection a moment later than the next process asks.
                with suppress(SQLAlchemyError, gevent.Timeout), gevent.Timeout(UNLOCK_SECONDS):
                    self._connection.execute(_UNLOCK, _KEY)
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        self._holds = False

    def connect(self) -> Connection:
        """Return the connection of the lock; raises ConfigError if its session is shared."""
        if self._connection is None:
            self._connection = self._engine.connect()
            refuse_pooling(self._engine, self._connection)
            # Servers older than PostgreSQL 14 have no such setting: then nothing is set.
            self._connection.execute(_LIMIT_SILENCE, {"limit": str(self._silence_ms)})
        return self._connection


class SchemaBehind(StoreUnavailable):
    """The schema is older than this program: it waits until `flask db upgrade` was run."""


class Ownership:
    """The leases of all shards, and the fence that keeps a former owner from writing."""

    def __init__(self, store: Store, lock: Lock) -> None:
        self._store = store
        self._lock = lock
        # The name of this process among those of the installation.
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:12]}"
        self.fence: Fence | None = None
        # The shards that no other process has owned since this one last did.
        self.continued: frozenset[int] = frozenset()

    def take(self) -> bool:
        """Become the owner if no process is; return whether this process owns the sockets now."""
        if not self._lock.take():
            return False
        if self.fence is None:
            try:
                if not self._store.run(is_current):
                    raise SchemaBehind
                self.fence, self.continued = self._store.run(partial(take_all, holder=self.holder))
            except Exception:
                self._lock.free()
                raise
        return True

    def held(self) -> bool:
        """Return whether this process is still the owner; never waits for a writer."""
        if self.fence is None or not self._lock.held():
            self.fence = None
            return False
        return True

    def write(self, failing_since: float | None = None) -> None:
        """Write that the owner lives.

        `failing_since`: the wall second since which it cannot store events; None if it can.

        Raises StoreUnavailable: a database that takes no writes does not end ownership, as the
        lock still keeps others out. Raises Fenced if another process is the owner.
        """
        since_ms = None if failing_since is None else round(failing_since * 1000)
        if (fence := self.fence) is None:
            return
        beat = partial(_beat, shards=fence.numbers, failing_since_ms=since_ms)
        self._store.run(beat, fence=fence)

    def beat(self, failing_since: float | None = None) -> bool:
        """Write that the owner lives; return False if this process is not the owner."""
        if not self.held():
            return False
        self.write(failing_since)
        return True

    def release(self) -> None:
        """Let another process become the owner at once."""
        self.fence = None
        self._lock.free()


def lock_for(url: str, silence_ms: int = SILENCE_MS) -> Lock:
    """Return the lock that goes with a database; see AdvisoryLock for `silence_ms`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return AdvisoryLock(url, silence_ms)
    return FileLock(Path(f"{parsed.database}.lock"))


def refuse_shared_sessions(url: str) -> None:
    """Raise ConfigError if a pooler stands before PostgreSQL that makes its locks worthless.

    A database that does not answer is no reason to refuse: the lock asks again when it does.
    """
    lock = lock_for(url)
    if isinstance(lock, AdvisoryLock):
        with suppress(SQLAlchemyError):
            lock.connect()
        lock.free()


def _beat(connection: Connection, *, shards: Iterable[int], failing_since_ms: int | None) -> None:
    clock = database_clock(connection.dialect.name)
    statement = f"UPDATE leases SET heartbeat_at = {clock}, failing_since = :since"
    owned = numbers(sorted(shards))
    connection.execute(text(f"{statement} WHERE shard IN ({owned})"), {"since": failing_since_ms})


def owner_seen_ms(connection: Connection) -> int | None:
    """Return the age of the owner's heartbeat, in milliseconds; None if there never was one."""
    clock = database_clock(connection.dialect.name)
    query = f"SELECT {clock} - heartbeat_at FROM leases WHERE shard = {SHARD}"
    return connection.execute(text(query)).scalar()
