"""The free disk space, and the early removal of events while there is little."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.connections import lift_limits
from webhookproxy.database.store import Store
from webhookproxy.housekeeping.purge import Purge, Walk
from webhookproxy.reasons import DISK_WORDS, DiskReason, Words

logger = logging.getLogger(__name__)

# Shares of MAX_DATA_GB: above the first the oldest events are removed, down to the second.
ALARM_SHARE = 0.9
CALM_SHARE = 0.85
# The disk is nearly full below the smaller of the two.
FREE_SHARE = 0.1
FREE_BYTES = 1_000_000_000
LOOK_SECONDS = 5.0
# Pages that one step returns to the disk.
VACUUM_PAGES = 200
# Events that one step removes: no more than these go after enough is free.
AT_ONCE = 200
_ANY_AGE = 1 << 62
_ANY_NUMBER = 1 << 62


@dataclass(frozen=True, slots=True)
class DiskState:
    """The free space, in bytes; 0 is no limit, None a disk that this process cannot see.

    `data_bytes` is the size of the rows, without pages kept for new rows; PostgreSQL does not tell,
    so there it is the size of the database.
    """

    reason: DiskReason
    data_bytes: int
    limit_bytes: int
    free_bytes: int | None

    @property
    def alarm(self) -> bool:
        """Return whether so little is free that finished events are removed early."""
        return self.reason is not DiskReason.ENOUGH

    @property
    def words(self) -> Words:
        """Return how the page describes it."""
        return DISK_WORDS[self.reason]


def look(connection: Connection, limit_bytes: int) -> DiskState:
    """Return the free space now; any process may ask, on a connection that only reads."""
    if connection.dialect.name == "postgresql":
        query = text("SELECT pg_database_size(current_database())")
        data, free, low = int(connection.execute(query).scalar_one()), None, 0
    else:
        used = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
        data = used * _pragma(connection, "page_size")
        free, low = _free_space(connection)
    if limit_bytes and data >= limit_bytes * ALARM_SHARE:
        reason = DiskReason.LIMIT_NEAR
    elif free is not None and free < low:
        reason = DiskReason.DISK_NEARLY_FULL
    else:
        reason = DiskReason.ENOUGH
    return DiskState(reason, data, limit_bytes, free)


def _free_space(connection: Connection) -> tuple[int | None, int]:
    """Return the free bytes of SQLite's disk, and the bytes below which it is nearly full."""
    name = connection.engine.url.database
    try:
        disk = shutil.disk_usage(Path(name or ".").parent)
    except OSError:
        return None, 0
    return disk.free, min(FREE_BYTES, round(disk.total * FREE_SHARE))


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


class DiskSpace:
    """Frees space in the owner's database, one step at a time: remove, return pages, look."""

    def __init__(self, store: Store, reading: Engine, purge: Purge, limit_bytes: int) -> None:
        self._store = store
        self._reading = reading
        self._purge = purge
        self._limit = limit_bytes
        self._walk = Walk()
        # How many events are still to be removed, and whether their pages are returned after that.
        self._lot = 0
        # How many bytes the rows may take after that.
        self._wanted = 0
        self._giving_back = False
        self._looked = -LOOK_SECONDS
        # PostgreSQL reuses the pages of removed rows, so its size never falls: only a size beyond
        # this mark means that they were not enough.
        self._mark = 0
        self._reason = DiskReason.ENOUGH

    def step(self) -> bool:
        """Do a little if little space is free. Return whether there is more to do."""
        if self._lot > 0:
            most = min(self._lot, AT_ONCE)
            removed = self._walk.step(self._reading, self._purge, _ANY_AGE, most)
            self._lot = 0 if removed is None or self._is_freed() else self._lot - removed
            return True
        if self._giving_back:
            self._giving_back = self._give_back()
            return True
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        with self._reading.connect() as connection:
            state = look(connection, self._limit)
        self._lot = self._lot_for(state)
        # From the oldest event again: deliveries that waited before may have ended.
        self._walk = Walk()
        self._giving_back = state.alarm
        self._say(state.reason)
        return state.alarm

    def _lot_for(self, state: DiskState) -> int:
        """Return how many events must be removed, the oldest first."""
        if not state.alarm:
            return 0
        is_sqlite = self._reading.dialect.name == "sqlite"
        if not is_sqlite and not self._outgrown(state.data_bytes):
            return 0
        wanted = state.data_bytes * CALM_SHARE
        if state.reason is DiskReason.LIMIT_NEAR:
            wanted = min(wanted, self._limit * CALM_SHARE)
        self._wanted = round(wanted)
        if is_sqlite:
            return _ANY_NUMBER
        return round(_about_all(self._reading) * (1 - wanted / max(1, state.data_bytes)))

    def _is_freed(self) -> bool:
        """Return whether SQLite's rows take no more than is wanted; PostgreSQL cannot tell."""
        if self._reading.dialect.name == "postgresql":
            return False
        with self._reading.connect() as connection:
            return look(connection, self._limit).data_bytes <= self._wanted

    def _outgrown(self, size: int) -> bool:
        """Return whether PostgreSQL grew since the last removal, or the first look."""
        grown = 0 < self._mark < size
        if grown or not self._mark:
            self._mark = size + (self._limit // 100 if grown else 0)
        return grown

    def _give_back(self) -> bool:
        """Return free pages to the disk, or to new rows. Return whether there are more."""
        if self._reading.dialect.name == "postgresql":
            _vacuum(self._reading)
            return False
        return self._store.run(_vacuum_pages)

    def _say(self, reason: DiskReason) -> None:
        if reason is not self._reason:
            level = logging.INFO if reason is DiskReason.ENOUGH else logging.WARNING
            logger.log(level, "%s", DISK_WORDS[reason].english)
        self._reason = reason


def _vacuum_pages(connection: Connection) -> bool:
    cursor = connection.connection.cursor()
    # The pragma frees one page at each step of its cursor.
    cursor.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
    cursor.fetchall()
    cursor.close()
    return _pragma(connection, "freelist_count") > 0


def _about_all(engine: Engine) -> int:
    """Return about how many events PostgreSQL has: it counts those of some pages."""
    query = "SELECT reltuples FROM pg_class WHERE oid = 'events'::regclass"
    with _without_limits(engine) as connection:
        connection.exec_driver_sql("ANALYZE events")
        return int(connection.exec_driver_sql(query).scalar_one())


def _vacuum(engine: Engine) -> None:
    """Let PostgreSQL reuse the space of removed rows now, before its own vacuum comes."""
    with _without_limits(engine) as connection:
        for table in ("attempts", "deliveries", "events"):
            connection.exec_driver_sql(f"VACUUM {table}")


@contextmanager
def _without_limits(engine: Engine) -> Iterator[Connection]:
    """Open a connection of PostgreSQL for long work outside a transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        lift_limits(connection)
        try:
            yield connection
        finally:
            # The pool must not hand out a connection with this setting.
            connection.invalidate()
