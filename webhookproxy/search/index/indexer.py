"""Fills the search's place behind the traffic, and takes out of it what was purged."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from webhookproxy.search.index import indexing
from webhookproxy.search.index.place import SearchPlace, Work

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How often it is looked for new events, in seconds.
PAUSE_IDLE = 1.0
PAUSE_TROUBLE = 5.0
# While there is more to do and nothing else has.
PAUSE_BETWEEN = 0.005
# The hub's share of a core from which on it is busy, and from which on it needs all there is. At 20
# events a second it is a thirtieth, at full speed four fifths.
BUSY_SHARE = 0.25
FULL_SHARE = 0.45


class Pace(NamedTuple):
    """The length of a step in seconds, and how many times as long the rest after it is."""

    step: float
    rest: float


IDLE = Pace(0.05, 0)
# A quarter of a core: enough for a thousand events a second.
BUSY = Pace(0.02, 3)
# An eightieth: a burst is caught up with after it.
FULL = Pace(0.01, 80)
# Everything is compared with the events so often, in seconds; the first time after a start early.
SWEEP_EVERY = 3600.0
SWEEP_FIRST = 60.0
# Purged events that are remembered one by one: beyond them everything is compared.
_GONE_MAX = 50_000

# What a database says of rows that it does not take, and not of itself.
_ITS_FAULT = (DataError, IntegrityError)

_NEWEST = text("SELECT COALESCE(MAX(id), 0) FROM events")


def _pace(share: float) -> Pace:
    """How to work beside a hub that uses so much of a core."""
    if share > FULL_SHARE:
        return FULL
    return BUSY if share > BUSY_SHARE else IDLE


class Indexer:
    """One step at a time; `pause` is how many seconds to wait until the next."""

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
        # As far as this process has indexed; None until it did so for the first time.
        self._cursor: int | None = None
        # Events in one step: one by one after an error, to find the one that is at fault.
        self._most = 0
        self._gone: deque[int] = deque()
        self._sweep_at = clock() + SWEEP_FIRST
        # The last event that a running sweep has compared; None while none runs.
        self._swept: int | None = None
        self._trouble = ""

    def gone(self, ids: list[int]) -> None:
        """Take notice of events that may have been purged. Never yields."""
        if len(self._gone) + len(ids) > _GONE_MAX:
            self._gone.clear()
            self._sweep_at = self._clock()
        else:
            self._gone.extend(ids)

    def step(self) -> bool:
        """Index a few events, or take out a few that were purged; True if more is waiting."""
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
        """How much of the time since the last step the hub, whose thread this is, was at work."""
        before, now = self._measured, (self._clock(), self._hub_time())
        self._measured = now
        return (now[1] - before[1]) / max(now[0] - before[0], 1e-9)

    def _step(self, seconds: float) -> bool:
        with self._reading.connect() as connection:
            newest = int(connection.execute(_NEWEST).scalar_one())
            if self._cursor is not None and self._place.lost(connection, self._cursor):
                self._cursor, self._most = None, 0
        if self._cursor is None or self._cursor < newest:
            self._index(seconds)
            return (self._cursor or 0) < newest
        return self._tidy()

    def _index(self, seconds: float) -> None:
        most = self._most or 5_000
        try:
            self._cursor = self._place.run(partial(_index, seconds=seconds, most=most))
            self._most = min(self._most * 2, 5_000)
        except Exception as error:  # one event must not keep all others from being found
            if isinstance(error, DBAPIError | OSError) and not isinstance(error, _ITS_FAULT):
                raise
            if most > 1:
                self._most = 1
                return
            logger.exception("an event is not indexed")
            self._cursor = self._place.run(_pass_over)

    def _tidy(self) -> bool:
        """Take out some of what was purged; whether there is more of it."""
        if self._gone:
            some = [self._gone.popleft() for _ in range(min(indexing.SWEPT, len(self._gone)))]
            self._place.run(lambda work: indexing.remove_gone(work, some))
            return bool(self._gone)
        if self._swept is None and self._clock() < self._sweep_at:
            return False
        after = self._swept or 0
        self._swept = self._place.run(partial(indexing.sweep, after=after))
        if self._swept is None:
            self._sweep_at = self._clock() + SWEEP_EVERY
        return self._swept is not None

    def _note(self, error: Exception) -> None:
        self._cursor = None
        if type(error).__name__ != self._trouble:
            self._trouble = type(error).__name__
            logger.warning("the search is not filled for now: %s", self._trouble)


def _index(work: Work, seconds: float, most: int) -> int:
    indexing.index_next(work, seconds, most)
    return work.state.cursor


def _pass_over(work: Work) -> int:
    indexing.pass_over(work)
    return work.state.cursor
