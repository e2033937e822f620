"""Locks that the operating system or the database frees when the process that holds them dies."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from typing import IO, Protocol

import gevent
from gevent.lock import RLock
from sqlalchemy import Connection, Engine, bindparam, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from webhookproxy.config.keys import ConfigError
from webhookproxy.database.connections import postgresql_arguments
from webhookproxy.database.fence import WHOLE, Share
from webhookproxy.database.ownership.pooling import refuse_pooling

logger = logging.getLogger(__name__)

# After this time PostgreSQL frees the lock of an owner that was stopped, or whose host is gone
# without a word. A draining owner, which sends no heartbeat, needs less (runner.STOP_SECONDS).
SILENCE_MS = 30_000
# An owner that is cut off from the database learns after this time that it is none.
ANSWER_SECONDS = 10.0
UNLOCK_SECONDS = 1.0

# Any numbers, the same in every process. Who owns all shards has the first one alone; who owns some
# has it together with all others that do, and one for each shard.
_ALL = 0x3C9_0000
_SHARD = 0x3C9_0100

_TRY = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_TRY_TOGETHER = text("SELECT pg_try_advisory_lock_shared(:key)")
_UNLOCK_TOGETHER = text("SELECT pg_advisory_unlock_shared(:key)")
_HELD = text(
    "SELECT COUNT(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND pid = pg_backend_pid() AND classid = 0 AND objid IN :keys"
).bindparams(bindparam("keys", expanding=True))
_LIMIT_SILENCE = text(
    "SELECT set_config(name, :limit, false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)


class Lock(Protocol):
    """A lock that the operating system or the database frees when its holder dies."""

    def take(self) -> bool:
        """Return whether this process holds the lock now; never waits for another."""

    def held(self) -> bool:
        """Return whether this process still holds it."""

    def is_cut(self) -> bool:
        """Return whether it seems to be lost, without asking anyone."""

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

    def is_cut(self) -> bool:
        """See Lock."""
        return self._file is None

    def free(self) -> None:
        """See Lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


class LockSession:
    """The session of PostgreSQL that the locks of this process belong to: gone with it.

    It stays open while another process holds a lock: asking again costs one statement. PostgreSQL
    ends a session that is silent for `silence_ms`; 0 is no limit.
    """

    def __init__(self, url: str, silence_ms: int = SILENCE_MS) -> None:
        self.engine: Engine = create_engine(
            url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=postgresql_arguments(),
        )
        # Held while a statement runs: the locks of several shares ask on one connection.
        self.turn = RLock()
        # The locks that are held. Empty once the connection is gone.
        self.held: set[AdvisoryLock] = set()
        self.connection: Connection | None = None
        self._silence_ms = silence_ms
        # Whether the connection is closed as soon as no statement runs on it.
        self._doomed = False
        # What the last attempt failed with: said once, not at every attempt.
        self._trouble = ""

    def connect(self) -> Connection:
        """Return the connection of the locks; raises ConfigError if its session is shared."""
        if self.connection is None:
            self.connection = self.engine.connect()
            refuse_pooling(self.engine, self.connection)
            # Servers older than PostgreSQL 14 have no such setting: then nothing is set.
            self.connection.execute(_LIMIT_SILENCE, {"limit": str(self._silence_ms)})
        return self.connection

    @contextmanager
    def asking(self, seconds: float = ANSWER_SECONDS) -> Iterator[None]:
        """Have the connection for some statements; what fails in them ends the session.

        Raises gevent.Timeout. The connection is closed only where none waits for its answer:
        libev aborts the whole process when the file that a greenlet waits for is gone.
        """
        with gevent.Timeout(seconds), self.turn:
            try:
                yield
            except BaseException:
                self._doomed = True
                raise
            finally:
                if self._doomed:
                    self.close()

    def is_cut(self) -> bool:
        """Return whether PostgreSQL said something unasked, as it does when it ends a session."""
        if self.connection is None or not self.turn.acquire(blocking=False):
            return self.connection is None
        try:
            raw = self.connection.connection.dbapi_connection
            return raw is not None and bool(select([raw.fileno()], [], [], 0)[0])
        finally:
            self.turn.release()

    def end(self) -> None:
        """Close the connection, and free every lock, as soon as no statement runs on it."""
        self._doomed = True
        if self.turn.acquire(blocking=False):
            try:
                self.close()
            finally:
                self.turn.release()

    def say(self, trouble: str) -> None:
        """Log why a lock could not be asked for, unless that was said; "" if it could."""
        if trouble and trouble != self._trouble:
            logger.warning("%s", trouble)
        self._trouble = trouble

    def close(self) -> None:
        """Close the connection, on which no statement runs, and with it free every lock."""
        self._doomed = False
        self.held.clear()
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.invalidate()
            connection.close()


class AdvisoryLock:
    """The lock of a share of the shards in PostgreSQL."""

    def __init__(self, session: LockSession, share: Share = WHOLE) -> None:
        self.session = session
        self._together = not share.is_whole
        self._keys = [_ALL] if share.is_whole else [_SHARD + each for each in sorted(share.shards)]

    def take(self) -> bool:
        """See Lock."""
        if self in self.session.held:
            return self.held()
        trouble = ""
        try:
            with self.session.asking():
                if self._try(self.session.connect()):
                    self.session.held.add(self)
        except ConfigError as error:
            trouble = str(error)
        except (SQLAlchemyError, gevent.Timeout) as error:
            trouble = f"cannot ask PostgreSQL for the lease: {type(error).__name__}"
        self.session.say(trouble)
        return self.held()

    def held(self) -> bool:
        """See Lock."""
        session = self.session
        if session.connection is None or self not in session.held:
            return False
        keys = [_ALL, *self._keys] if self._together else self._keys
        try:
            with session.asking():
                if session.connection is None:
                    return False
                found = session.connection.execute(_HELD, {"keys": keys}).scalar()
                if found != len(keys):
                    # Without its session no lock is this process's.
                    session.close()
        except (SQLAlchemyError, gevent.Timeout):
            return False
        return self in session.held

    def is_cut(self) -> bool:
        """See Lock."""
        return self not in self.session.held or self.session.is_cut()

    def free(self) -> None:
        """See Lock."""
        session = self.session
        if self in session.held:
            session.held.discard(self)
            # PostgreSQL sees a closed connection a moment later than the next process asks.
            try:
                with session.asking(UNLOCK_SECONDS):
                    self._unlock(self._keys)
            except (SQLAlchemyError, gevent.Timeout):
                # The others go with it: a lock that stays would leave its share without an owner.
                session.end()
        if not session.held:
            session.end()

    def _try(self, connection: Connection) -> bool:
        """Lock all keys, or none; return whether they are locked."""
        if self._together and not connection.execute(_TRY_TOGETHER, {"key": _ALL}).scalar():
            return False
        for number, key in enumerate(self._keys):
            if not connection.execute(_TRY, {"key": key}).scalar():
                # Another process owns a share that has this shard too.
                self._unlock(self._keys[:number])
                return False
        return True

    def _unlock(self, keys: list[int]) -> None:
        connection = self.session.connection
        if connection is None:
            return
        for key in keys:
            connection.execute(_UNLOCK, {"key": key})
        if self._together:
            connection.execute(_UNLOCK_TOGETHER, {"key": _ALL})


def locks_for(url: str, shares: list[Share], silence_ms: int = SILENCE_MS) -> list[Lock]:
    """Return the locks of shares; on SQLite there is one, for all shards. See LockSession."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        session = LockSession(url, silence_ms)
        return [AdvisoryLock(session, share) for share in shares]
    return [FileLock(Path(f"{parsed.database}.lock"))]


def lock_for(url: str, silence_ms: int = SILENCE_MS) -> Lock:
    """Return the lock of all shards that goes with a database."""
    return locks_for(url, [WHOLE], silence_ms)[0]


def refuse_shared_sessions(url: str) -> None:
    """Raise ConfigError if a pooler stands before PostgreSQL that makes its locks worthless.

    A database that does not answer is no reason to refuse: the lock asks again when it does.
    """
    if make_url(url).get_backend_name() != "postgresql":
        return
    session = LockSession(url)
    try:
        with suppress(SQLAlchemyError):
            session.connect()
    finally:
        session.close()
