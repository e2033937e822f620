"""What is wrong with the installation as a whole, for the alerts of administrators."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from webhookproxy.alerts.conditions import Condition
from webhookproxy.alerts.watching.states import State, Subject
from webhookproxy.housekeeping import disk_space

# PostgreSQL walks through its files to tell its size.
LOOK_SECONDS = 60.0


class Installation:
    """Says since when there is little space; `clock` is the wall's, in seconds."""

    def __init__(self, reading: Engine, max_data_bytes: int, clock: Callable[[], float]) -> None:
        self._reading = reading
        self._max_data_bytes = max_data_bytes
        self._clock = clock
        self._looked = -LOOK_SECONDS
        self._full: State | None = None

    def states(self) -> dict[Subject, State]:
        """Return what is wrong now."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            with self._reading.connect() as connection:
                disk = disk_space.look(connection, self._max_data_bytes)
            if not disk.alarm:
                self._full = None
            elif self._full is None:
                now = datetime.fromtimestamp(self._clock(), UTC)
                self._full = State(now, disk.reason.value)
        return {} if self._full is None else {Subject(Condition.DISK_FULL): self._full}
