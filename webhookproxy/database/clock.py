"""The time of an installation, by which every age is told: see decision 0025.

On SQLite it is the machine's. On PostgreSQL it is the database's: the machines of an installation
may be an hour apart, and what one of them stored must not expire early at another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from gevent.event import Event as Signal
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)

# How often a server compares again: steady clocks drift by less than a millisecond meanwhile.
LOOK_SECONDS = 10.0
# Clocks that differ by more than this are worth a line in the log.
WORTH_SAYING = 5.0

_TIME = "SELECT extract(epoch FROM clock_timestamp())"


class Clock:
    """The machine's time until a database said its own; from then on that one.

    Between two looks it follows the steady clock, so a machine's time that is set forward or back
    changes nothing.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        # How far the database's time is before the steady clock's; None if there is no such time.
        self._ahead: float | None = None

    def seconds(self) -> float:
        """Return the seconds since 1970."""
        if self._ahead is None:
            return self._wall()
        return self._steady() + self._ahead

    def compare(self, ask: Callable[[], float]) -> None:
        """Ask a database for its time, and go on from there.

        Its answer belongs to a moment between the question and its arrival. As long as that can be
        true nothing changes: a slow answer says little, and must not move the time.
        """
        before = self._steady()
        said = ask()
        after = self._steady()
        known = self.seconds() - self._steady()
        self._ahead = min(max(known, said - after), said - before)
        moved = self._ahead - known
        if abs(moved) > WORTH_SAYING:
            logger.warning(
                "the database's time is %.0f s %s: all times and ages follow it",
                abs(moved),
                "ahead of ours" if moved > 0 else "behind ours",
            )

    def forget(self) -> None:
        """Tell the machine's time again, as a new process does."""
        self._ahead = None


process_clock = Clock()


def seconds_now() -> float:
    """Return the installation's time in seconds since 1970."""
    return process_clock.seconds()


def ms_now() -> int:
    """Return the installation's time in milliseconds since 1970."""
    return round(process_clock.seconds() * 1000)


def utc_now() -> datetime:
    """Return the installation's time."""
    return datetime.fromtimestamp(process_clock.seconds(), UTC)


def follow(engine: Engine, clock: Clock = process_clock) -> None:
    """Compare a clock with PostgreSQL's at each new connection, before it is used."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", lambda connection, _record: look(connection, clock))


def look(connection: Any, clock: Clock = process_clock) -> None:
    """Compare a clock with that of a driver's connection to PostgreSQL."""
    with connection.cursor() as cursor:
        clock.compare(lambda: float(cursor.execute(_TIME).fetchone()[0]))
    connection.rollback()


def keep_looking(engine: Engine, stopped: Signal) -> None:
    """Compare the process's clock from time to time, until `stopped` is set."""
    while engine.dialect.name == "postgresql" and not stopped.wait(LOOK_SECONDS):
        # The next look is soon.
        with suppress(SQLAlchemyError), engine.connect() as connection:
            look(connection.connection.dbapi_connection)


_CLOCK = {
    # unixepoch('subsec') would need SQLite 3.42.
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def database_clock(dialect: str) -> str:
    """Return an SQL expression: the time of a database, in milliseconds since 1970."""
    return _CLOCK[dialect]
