"""The one way to write: every write of this process goes through one thread, in groups."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webhookproxy.counts import Durations
from webhookproxy.database.bulk import execute
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.connections import lock_at_begin, one_connection
from webhookproxy.database.fence import Fence, Fenced, lost_shards

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How many writes may share one commit: enough to make the commit's price small, few enough that
# a page's write never waits for long.
GROUP_MAX = 64
# How often a group that met another process's locks in the opposite order is run again.
DEADLOCKS_MAX = 2


class StoreUnavailable(Exception):
    """The database is full, locked, read-only or gone. Nothing was written."""


class _Entry(Generic[T]):
    """One write that waits for its turn."""

    def __init__(
        self,
        job: Callable[[Connection], T],
        fence: Fence | Callable[[], Fence] | None,
        patience: float = 0.0,
        *,
        late: bool = False,
    ) -> None:
        self.job = job
        self.fence = fence
        self.late = late
        # The monotonic second until which it can wait.
        self.waits_until = time.monotonic() + patience
        self.value: T | None = None
        self.error: Exception | None = None
        # How long it held the writer: its own time and the commit's.
        self.seconds = 0.0
        self.done: AsyncResult[None] = AsyncResult()


class Store:
    """Runs write jobs one after the other in a thread of its own, many to a commit.

    A job gets a connection inside an open transaction and must not yield to the hub: it runs
    outside it, while no other writer can.
    """

    def __init__(self, url: str) -> None:
        self.engine = writing_engine(url)
        self.failing_since: float | None = None
        # How long each group held the writer.
        self.commits = Durations()
        self._waiting: deque[_Entry[Any]] = deque()
        self._came = Event()
        self._pool = ThreadPool(1)
        self._writer: gevent.Greenlet[..., None] | None = None

    def run(
        self,
        job: Callable[[Connection], T],
        *,
        fence: Fence | Callable[[], Fence] | None = None,
        patience: float = 0.0,
        late: bool = False,
    ) -> T:
        """Return the job's value, once it is committed.

        With `patience` the job may wait that many seconds for another commit, and then shares it.
        Every process locks deliveries first and the webhooks' health after them: a job that locks
        only the health goes `late` in its group. Raises the job's error (only its own writes are
        undone), StoreUnavailable if the database did not take the group, and Fenced if another
        process has taken a shard that `fence` names. A function is asked for it when the group
        begins. A job may run twice: a deadlock with another process undoes it.
        """
        entry = self._wait(_Entry(job, fence, patience, late=late))
        return entry.value  # type: ignore[return-value]  # set wherever error is not

    def measured(self, job: Callable[[Connection], T]) -> tuple[T, float]:
        """Return the job's value, as `run` does, and how long it kept other writes waiting.

        The seconds include the whole commit, also if others share it.
        """
        entry = self._wait(_Entry(job, None))
        return entry.value, entry.seconds  # type: ignore[return-value]  # as above

    def session(self, job: Callable[[Session], T], *, fence: Fence | None = None) -> T:
        """Run a job that works with models, as `run` does; it must return plain values."""

        def with_session(connection: Connection) -> T:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                value = job(session)
                session.commit()
                return value

        return self.run(with_session, fence=fence)

    def close(self) -> None:
        """Close the connection; waits for a running group."""
        if self._writer is not None:
            self._writer.join()
        self._pool.join()
        # Its thread would stay for as long as the process runs. A pool that was ended may swallow
        # the next job: its end can leave a second order to end in its queue.
        self._pool.kill()
        self._pool = ThreadPool(1)
        self.engine.dispose()

    def _wait(self, entry: _Entry[T]) -> _Entry[T]:
        self._waiting.append(entry)
        self._came.set()
        if self._writer is None:
            self._writer = gevent.spawn(self._write)
            self._writer.name = "store"
        entry.done.get()
        if entry.error is not None:
            raise entry.error
        return entry

    def _write(self) -> None:
        while self._waiting:
            self._gather()
            group = [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]
            group.sort(key=lambda entry: entry.late)
            began = time.perf_counter()
            self._pool.apply(self._commit, (group,))
            self.commits.add(round((time.perf_counter() - began) * 1000))
            self._note_health(group)
            for entry in group:
                entry.done.set(None)
        self._writer = None

    def _gather(self) -> None:
        """Wait until one of the jobs can wait no longer."""
        while (wait := min(e.waits_until for e in self._waiting) - time.monotonic()) > 0:
            self._came.clear()
            self._came.wait(wait)

    def _commit(self, group: list[_Entry[Any]]) -> None:
        try:
            for _ in range(DEADLOCKS_MAX):
                try:
                    return self._transact(group)
                except Exception as error:
                    if not _is_deadlock(error):
                        raise
            self._transact(group)
        except Exception as error:  # every waiting caller must get an answer, whatever happened
            outage = _is_outage(error, self.engine.dialect.dbapi)
            failure = StoreUnavailable(type(error).__name__) if outage else error
            for entry in group:
                entry.error = entry.error or failure
                entry.value = None

    def _transact(self, group: list[_Entry[Any]]) -> None:
        for entry in group:
            entry.error = None
        with self.engine.connect() as connection:
            with connection.begin():
                _check_fences(connection, group)
                for entry in group:
                    if entry.error is None:
                        _run_entry(connection, entry, alone=len(group) == 1)
                ended = time.perf_counter()
            committing = time.perf_counter() - ended
        for entry in group:
            entry.seconds += committing

    def _note_health(self, group: list[_Entry[Any]]) -> None:
        failed = any(isinstance(entry.error, StoreUnavailable) for entry in group)
        if failed and self.failing_since is None:
            self.failing_since = seconds_now()
            logger.error("the database takes no writes: events wait in memory until it does again")
        elif not failed and self.failing_since is not None:
            self.failing_since = None
            logger.info("the database takes writes again")


def _run_entry(connection: Connection, entry: _Entry[Any], *, alone: bool) -> None:
    """Run one job, in a group inside a savepoint: its failure must not undo the others."""
    began = time.perf_counter()
    if alone:
        entry.value = entry.job(connection)
        entry.seconds = time.perf_counter() - began
        return
    execute(connection, "SAVEPOINT job")
    try:
        entry.value = entry.job(connection)
    except Exception as error:
        if _is_outage(error, connection.dialect.dbapi):
            raise
        entry.error = error
        execute(connection, "ROLLBACK TO SAVEPOINT job")
    execute(connection, "RELEASE SAVEPOINT job")
    entry.seconds = time.perf_counter() - began


def _check_fences(connection: Connection, group: list[_Entry[Any]]) -> None:
    """Refuse the jobs that name a shard of which this process is no longer the owner."""
    named = [
        (entry, entry.fence() if callable(entry.fence) else entry.fence)
        for entry in group
        if entry.fence is not None
    ]
    if not named:
        return
    lost = lost_shards(connection, [fence for _, fence in named])
    for (entry, _), shards in zip(named, lost, strict=True):
        if shards:
            entry.error = Fenced(shards)


def _is_outage(error: Exception, driver: Any) -> bool:
    """Return whether the database, not the data, is at fault: the same write may work later.

    `driver` is the driver's module; models raise its errors inside SQLAlchemy's.
    """
    raised = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(raised, driver.Error):
        return False
    if isinstance(raised, driver.IntegrityError | driver.DataError):
        return False
    # SQLite's driver raises these for a value it cannot bind, PostgreSQL's for a missing right.
    of_sqlite = driver.__name__.startswith("sqlite3")
    return not (of_sqlite and isinstance(raised, driver.ProgrammingError | driver.InterfaceError))


def _is_deadlock(error: Exception) -> bool:
    """Return whether PostgreSQL undid the transaction to let another one go on."""
    raised = error.orig if isinstance(error, DBAPIError) else error
    return type(raised).__name__ in ("DeadlockDetected", "SerializationFailure")


def writing_engine(url: str) -> Engine:
    """An engine with one connection, whose transactions take the write lock when they begin."""
    engine = one_connection(url)
    if engine.dialect.name == "sqlite":
        lock_at_begin(
            engine,
            # Set before the first table exists: later it would take a VACUUM.
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
        )
        event.listen(engine, "connect", _check_sqlite_is_durable)
    return engine


def _check_sqlite_is_durable(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = cursor.execute("PRAGMA synchronous").fetchone()[0]
    cursor.close()
    if (mode, synchronous) != ("wal", 2):
        raise RuntimeError(
            f"SQLite runs with journal_mode={mode} and synchronous={synchronous}, so a power cut "
            "could lose events: put the database on a local disk that allows WAL."
        )
