"""Fills the place at once, as fast as it goes; beside a running server too.

Every step takes the place's lock and goes on where the last one of any process stopped.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from webhookproxy.search.index import indexing
from webhookproxy.search.index.place import SearchPlace, Work

_STEP_SECONDS = 1.0
_STEP_MOST = 20_000
_NEWEST = text("SELECT COALESCE(MAX(id), 0) FROM events")

# Told the highest event that is indexed and the highest there is.
Tell = Callable[[int, int], None]


def in_silence(_indexed: int, _newest: int) -> None:
    """Tell nobody."""


def fill(place: SearchPlace, tell: Tell = in_silence) -> int:
    """Index every event that there is at the beginning; how many it were. Raises DBAPIError."""
    done = 0
    newest = place.run(_newest)
    cursor = place.run(lambda work: work.state.cursor)
    while cursor < newest:
        count, cursor = place.run(_step)
        done += count
        tell(cursor, newest)
    return done


def _newest(work: Work) -> int:
    return int(work.events.execute(_NEWEST).scalar_one())


def _step(work: Work) -> tuple[int, int]:
    count = indexing.index_next(work, _STEP_SECONDS, _STEP_MOST)
    return count, work.state.cursor
