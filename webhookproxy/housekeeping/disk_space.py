"""How much room the data has left, and what goes early while there is little."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.store import Store
from webhookproxy.housekeeping.purge import Purge, Walk
from webhookproxy.reasons import ROOM_WORDS, RoomReason, Words

logger = logging.getLogger(__name__)

# Of MAX_DATA_GB: from the first share on the oldest events go, until the second is reached.
ALARM_SHARE = 0.9
CALM_SHARE = 0.85
# Free space of the disk under which it is nearly full: the smaller of the two.
FREE_SHARE = 0.1
FREE_BYTES = 1_000_000_000
LOOK_SECONDS = 5.0
# Pages that one step gives back to the disk.
VACUUM_PAGES = 200
_ANY_AGE = 1 << 62


@dataclass(frozen=True, slots=True)
class DiskState:
    """The room there is, in bytes; 0 is no limit, None a disk that cannot be seen from here.

    `data_bytes` is what the database holds, without what it keeps free for new rows; PostgreSQL
    does not tell, and there it is the whole database.
    """

    reason: RoomReason
    data_bytes: int
    limit_bytes: int
    free_bytes: int | None

    @property
    def alarm(self) -> bool:
        """Whether there is so little room that finished events go before their time."""
        return self.reason is not RoomReason.ENOUGH

    @property
    def words(self) -> Words:
        """What is to be said of it."""
        return ROOM_WORDS[self.reason]


def look(connection: Connection, limit_bytes: int) -> DiskState:
    """The room now; any process may ask, on a connection that only reads."""
    if connection.dialect.name == "postgresql":
        query = text("SELECT pg_database_size(current_database())")
        data, free, low = int(connection.execute(query).scalar_one()), None, 0
    else:
        used = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
        data = used * _pragma(connection, "page_size")
        free, low = _free_space(connection)
    if limit_bytes and data >= limit_bytes * ALARM_SHARE:
        reason = RoomReason.LIMIT_NEAR
    elif free is not None and free < low:
        reason = RoomReason.DISK_NEARLY_FULL
    else:
        reason = RoomReason.ENOUGH
    return DiskState(reason, data, limit_bytes, free)


def _free_space(connection: Connection) -> tuple[int | None, int]:
    """What the disk of the SQLite file has left, and under how much it is nearly full."""
    name = connection.engine.url.database
    try:
        disk = shutil.disk_usage(Path(name or ".").parent)
    except OSError:
        return None, 0
    return disk.free, min(FREE_BYTES, round(disk.total * FREE_SHARE))


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


class Room:
    """Makes room in the database of the owner, one step at a time: remove, give back, look."""

    def __init__(self, store: Store, reading: Engine, purge: Purge, limit_bytes: int) -> None:
        self._store = store
        self._reading = reading
        self._purge = purge
        self._limit = limit_bytes
        self._walk = Walk()
        # How many events are still to go, and whether their room is to be given back after that.
        self._lot = 0
        self._giving_back = False
        self._looked = -LOOK_SECONDS
        # PostgreSQL keeps what was removed as room for new rows, so its size never falls: only a
        # size beyond this one says that there was not enough of it.
        self._mark = 0
        self._reason = RoomReason.ENOUGH

    def step(self) -> bool:
        """Do a little, if there is little room; whether more is to be done."""
        if self._lot > 0:
            removed = self._walk.step(self._reading, self._purge, _ANY_AGE, self._lot)
            self._lot = 0 if removed is None else self._lot - removed
            return True
        if self._giving_back:
            self._giving_back = self._give_back()
            return True
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        with self._reading.connect() as connection:
            state = look(connection, self._limit)
            self._lot = self._lot_for(connection, state)
        # From the oldest on again: what waited then may have ended.
        self._walk = Walk()
        self._giving_back = state.alarm
        self._say(state.reason)
        return state.alarm

    def _lot_for(self, connection: Connection, state: DiskState) -> int:
        """How many events have to go, the oldest first."""
        if not state.alarm:
            return 0
        if connection.dialect.name == "postgresql" and not self._outgrown(state.data_bytes):
            return 0
        wanted = state.data_bytes * CALM_SHARE
        if state.reason is RoomReason.LIMIT_NEAR:
            wanted = min(wanted, self._limit * CALM_SHARE)
        count = connection.execute(text("SELECT MAX(id) - MIN(id) + 1 FROM events")).scalar() or 0
        return round(count * (1 - wanted / max(1, state.data_bytes)))

    def _outgrown(self, size: int) -> bool:
        """Whether PostgreSQL grew since it was last made room in, or first looked at."""
        grown = 0 < self._mark < size
        if grown or not self._mark:
            self._mark = size + (self._limit // 100 if grown else 0)
        return grown

    def _give_back(self) -> bool:
        """Give some of what is free to the disk, or to new rows; whether there is more."""
        if self._reading.dialect.name == "postgresql":
            _vacuum(self._reading)
            return False
        return self._store.run(_vacuum_pages)

    def _say(self, reason: RoomReason) -> None:
        if reason is not self._reason:
            level = logging.INFO if reason is RoomReason.ENOUGH else logging.WARNING
            logger.log(level, "%s", ROOM_WORDS[reason].english)
        self._reason = reason


def _vacuum_pages(connection: Connection) -> bool:
    cursor = connection.connection.cursor()
    # The pragma does a page at each step of its cursor.
    cursor.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
    cursor.fetchall()
    cursor.close()
    return _pragma(connection, "freelist_count") > 0


def _vacuum(engine: Engine) -> None:
    """Have PostgreSQL find the room of removed rows now, and not only when it gets round to it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        for table in ("attempts", "deliveries", "events"):
            connection.exec_driver_sql(f"VACUUM {table}")
        # It would keep the setting for whoever gets it next.
        connection.invalidate()
