"""The place of the index: who may write to it, and who may read it.

The index can be lost at any time, and is filled again from the events. One thread writes for all of
this process. It takes the index's lock before it reads the events, so that an event that is masked
at that time is masked in the index afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webhookproxy.database.connections import one_connection
from webhookproxy.models.events import newest_event
from webhookproxy.search.index import engines, tables
from webhookproxy.search.index.tables import State
from webhookproxy.search.index.writing import Writer

logger = logging.getLogger(__name__)

T = TypeVar("T")

_EVENT_AT = text("SELECT public_id FROM events WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Work:
    """The arguments of a job: the index inside a transaction, and the events to read."""

    connection: Connection
    events: Connection
    state: State
    writer: Writer


class SearchPlace:
    """The index of one database; one in memory has none (`kept` is false)."""

    def __init__(self, url: str) -> None:
        self._file = engines.file_beside(url)
        self._postgresql = make_url(url).get_backend_name() == "postgresql"
        self.kept = self._postgresql or self._file is not None
        self._writing: Engine | None = None
        self._events: Engine | None = None
        self._reading: Engine | None = None
        if self._file is not None:
            self._writing = engines.file_writer(self._file)
            self._events = engines.one_reader(url)
            self._reading = engines.file_reader(self._file)
        elif self._postgresql:
            self._writing = one_connection(url)
        self._writer = Writer()
        self._pool = ThreadPool(1)
        # The inode of the file that this process has open.
        self._inode: int | None = None
        # Whether this process has checked that the index belongs to these events.
        self._known = False

    def run(self, job: Callable[[Work], T]) -> T:
        """Run a job in a transaction and return its value; raise what it raises."""
        value: T = self._in_thread(partial(self._run, job))
        return value

    @contextmanager
    def reading(self, session: Session) -> Iterator[Connection | None]:
        """Yield a connection to the tables, or None before they exist.

        After a DBAPIError the session can still be used.
        """
        if self._postgresql:
            with session.begin_nested():
                connection = session.connection()
                yield connection if tables.has_tables(connection) else None
            return
        if self._file is None or self._reading is None or not self._file.exists():
            yield None
            return
        with self._reading.connect() as connection:
            yield connection if tables.has_tables(connection) else None

    def lost(self, connection: Connection, cursor: int) -> bool:
        """Return whether the index no longer has all that this process indexed, up to `cursor`.

        `connection` reads the events.
        """
        if self._file is not None:
            return engines.marker_of(self._file).exists() or self._inode != _inode(self._file)
        state = tables.read_state(connection) if tables.has_tables(connection) else None
        return state is None or state.cursor < cursor

    def void(self) -> None:
        """Mark the index for rebuilding by the next writer, in any process."""
        self._in_thread(self._void)

    def forget_old_bytes(self) -> None:
        """Empty the file's log, which still holds old pages."""
        if self._writing is not None and self._file is not None:
            self._in_thread(partial(_empty_log, self._writing))

    def note_trouble(self, error: DBAPIError) -> None:
        """Log an error of reading, and mark a damaged file for rebuilding."""
        logger.warning("the search cannot read its index: %s", type(error.orig).__name__)
        if self._file is not None and tables.is_torn(error):
            # The page goes on without the mark: the writer notices the damage too.
            with suppress(OSError):
                self._void()

    def close(self) -> None:
        """Close all connections; waits for a running job."""
        self._pool.join()
        self._pool.kill()
        for engine in (self._writing, self._events, self._reading):
            if engine is not None:
                engine.dispose()

    def _void(self) -> None:
        if self._file is not None:
            engines.marker_of(self._file).touch()
        elif self._writing is not None:
            with self._writing.begin() as connection:
                if tables.has_tables(connection):
                    connection.exec_driver_sql(f"DELETE FROM {tables.table(connection, 'state')}")

    def _in_thread(self, job: Callable[[], Any]) -> Any:
        value, error = self._pool.apply(self._outcome, (job,))
        if error is not None:
            raise error
        return value

    def _outcome(self, job: Callable[[], Any]) -> tuple[Any, Exception | None]:
        # gevent would print an error that leaves the thread.
        try:
            return job(), None
        except Exception as raised:  # the caller waits for every outcome
            error = self._as_sqlalchemy(raised)
            self._writer.forget()
            if isinstance(error, DBAPIError) and tables.is_torn(error):
                logger.warning("the search's index is damaged: it is rebuilt")
                self._void()
            return None, error

    def _as_sqlalchemy(self, error: Exception) -> Exception:
        # The index's writer uses the driver directly, and so gets the driver's errors.
        driver: Any = None if self._writing is None else self._writing.dialect.loaded_dbapi
        if driver is None or not isinstance(error, driver.Error):
            return error
        made: Exception = DBAPIError.instance(None, None, error, driver.Error, hide_parameters=True)
        return made

    def _run(self, job: Callable[[Work], T]) -> T:
        if self._writing is None:
            raise RuntimeError("a database without a file has no index")
        if self._file is not None:
            self._renew(self._writing, self._file)
        with self._writing.begin() as connection:
            if self._events is None:
                return self._work(job, connection, connection)
            with self._events.connect() as events:
                return self._work(job, connection, events)

    def _renew(self, writing: Engine, file: Path) -> None:
        """Reopen the index if its file was replaced, or is marked for rebuilding."""
        if engines.marker_of(file).exists():
            engines.remove_file(file)
        if self._inode is None or self._inode != _inode(file):
            writing.dispose()
            self._writer.forget()
            self._known = False
            with writing.connect():
                self._inode = _inode(file)

    def _work(self, job: Callable[[Work], T], connection: Connection, events: Connection) -> T:
        there = tables.has_tables(connection)
        state = tables.read_state(connection, lock=True) if there else None
        if state is not None and not self._known and not _belongs(events, state):
            logger.warning("the search's index belongs to another database: it is rebuilt")
            state = None
        if state is None:
            self._writer.forget()
            state = tables.make_tables(connection)
        value = job(Work(connection, events, state, self._writer))
        tables.write_state(connection, state)
        self._known = True
        return value


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _empty_log(engine: Engine) -> None:
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    finally:
        connection.close()


def _belongs(events: Connection, state: State) -> bool:
    """Return whether these are the indexed events: a backup may have replaced them."""
    public_id = events.execute(_EVENT_AT, {"id": state.cursor}).scalar()
    if public_id is not None:
        return bool(public_id == state.seal)
    # The newest event is never removed.
    return state.cursor == 0 or state.cursor < newest_event(events)
