"""Fills the index beside the traffic, and removes purged events from it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from webhookproxy.models.events import newest_event
from webhookproxy.search.index import indexing
from webhookproxy.search.index.place import SearchPlace

logger = logging.getLogger(__name__)

# Seconds between two steps: without work, after an error, and with more work on an idle hub.
PAUSE_IDLE = 1.0
PAUSE_TROUBLE = 5.0
PAUSE_BETWEEN = 0.005
# The hub is busy from the first share of a core on, and needs the rest from the second on. It uses
# a thirtieth at 20 events a second, and four fifths at full speed.
BUSY_SHARE = 0.25
FULL_SHARE = 0.45


class Pace(NamedTuple):
    """The length of a step in seconds, and the rest after it as a multiple of the step."""

    step: float
    rest: float


IDLE = Pace(0.05, 0)
# A quarter of a core: enough for a thousand events a second.
BUSY = Pace(0.02, 3)
# An eightieth: the index catches up after a burst.
FULL = Pace(0.01, 80)
# Seconds between two sweeps, which compare the index with the events, and until the first.
SWEEP_EVERY = 3600.0
SWEEP_FIRST = 60.0
# Seconds between two looks back: sweeps over what was indexed since the last look but one.
LOOK_BACK_EVERY = 60.0
# Purged events that are remembered one by one; more of them start a sweep.
_GONE_MAX = 50_000

# Errors about the rows, and not about the database.
_ROW_ERRORS = (DataError, IntegrityError)


def _is_of_row(error: Exception) -> bool:
    """Return whether an event causes an error, and not the place of the index."""
    return isinstance(error, _ROW_ERRORS) or not isinstance(error, DBAPIError | OSError)


def _pace(share: float) -> Pace:
    """Return the pace beside a hub that uses this share of a core."""
    if share > FULL_SHARE:
        return FULL
    return BUSY if share > BUSY_SHARE else IDLE


class Indexer:
    """Works in steps; `pause` is the number of seconds to wait before the next."""

    def __init__(
        self,
        place: SearchPlace,
        reading: Engine,
        clock: Callable[[], float] = time.monotonic,
        hub_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self.pause = PAUSE_IDLE
        self._place = place
        self._reading = reading
        self._clock = clock
        self._hub_time = hub_time
        self._measured = (clock(), hub_time())
        # The last event that this process indexed; None before the first.
        self._cursor: int | None = None
        # Events in one step, at most: 1 after an error, to find the event that causes it.
        self._most = 0
        self._gone: deque[int] = deque()
        self._sweep_at = clock() + SWEEP_FIRST
        self._look_back_at = 0.0
        # The last events that were indexed at the last two looks back.
        self._looked: tuple[int | None, int | None] = (None, None)
        # The last event that the running sweep compared; None between two sweeps.
        self._swept: int | None = None
        # Events in one step of it: 1 after an error, to find the event that causes it.
        self._compared = 0
        self._trouble = ""

    def gone(self, ids: list[int]) -> None:
        """Remember events that may have been purged. Never yields."""
        if len(self._gone) + len(ids) > _GONE_MAX:
            self._gone.clear()
            self._sweep_at = self._clock()
        else:
            self._gone.extend(ids)

    def step(self) -> bool:
        """Index a few events, or remove a few purged ones; return True if more wait."""
        pace = _pace(self._hub_share())
        if not self._place.kept:
            self.pause = SWEEP_EVERY
            return False
        began, more, self.pause = self._clock(), False, PAUSE_TROUBLE
        try:
            more = self._step(pace.step)
            self._trouble = ""
            self.pause = PAUSE_BETWEEN if more else PAUSE_IDLE
        except (SQLAlchemyError, OSError) as error:
            self._note(error)
        self.pause = max(self.pause, pace.rest * (self._clock() - began))
        return more

    def _hub_share(self) -> float:
        """Return the share of the time since the last step that the hub (this thread) worked."""
        before, now = self._measured, (self._clock(), self._hub_time())
        self._measured = now
        return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)

    def _step(self, seconds: float) -> bool:
        with self._reading.connect() as connection:
            newest = newest_event(connection)
            if self._cursor is not None and self._place.lost(connection, self._cursor):
                self._cursor, self._most = None, 0
        if self._cursor is None or self._cursor < newest:
            self._index(seconds)
            if (self._cursor or 0) < newest:
                return True
        # Also beside events that never cease.
        return self._tidy()

    def _index(self, seconds: float) -> None:
        most = self._most or 5_000
        try:
            job = partial(indexing.index_next, seconds=seconds, most=most)
            _, self._cursor = self._place.run(job)
            self._most = min(self._most * 2, 5_000)
        except Exception as error:  # one event must not keep the others from being found
            if not _is_of_row(error):
                raise
            if most > 1:
                self._most = 1
                return
            logger.exception("an event is not indexed")
            self._cursor = self._place.run(indexing.pass_over)

    def _tidy(self) -> bool:
        """Remove some purged events; return whether more wait."""
        if self._gone:
            some = [self._gone.popleft() for _ in range(min(indexing.SWEPT, len(self._gone)))]
            self._place.run(lambda work: indexing.remove_gone(work, some))
            return bool(self._gone)
        after = self._next_sweep() if self._swept is None else self._swept
        if after is None:
            return False
        self._sweep(after)
        return self._swept is not None

    def _sweep(self, after: int) -> None:
        """Compare the next events with the index, and leave out one that cannot be indexed."""
        most = self._compared or indexing.SWEPT
        job = partial(indexing.sweep, after=after, most=most)
        try:
            self._swept = self._place.run(job)
            self._compared = min(self._compared * 2, indexing.SWEPT)
        except Exception as error:  # one event must not keep the others from being compared
            if not _is_of_row(error):
                raise
            self._swept = after
            if most > 1:
                self._compared = 1
                return
            logger.exception("an event is not indexed")
            self._swept = self._place.run(partial(job, left_out=True))

    def _next_sweep(self) -> int | None:
        """Return the event after which a sweep begins now; None if none is to begin."""
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY
            return 0
        if now < self._look_back_at:
            return None
        self._look_back_at = now + LOOK_BACK_EVERY
        begins, self._looked = self._looked[0], (self._looked[1], self._cursor)
        return begins

    def _note(self, error: Exception) -> None:
        self._cursor = None
        if type(error).__name__ != self._trouble:
            self._trouble = type(error).__name__
            logger.warning("the search is not filled for now: %s", self._trouble)
