"""Which times 3C Plus is asked for, in the local time of Brasília that it understands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from webhookproxy.events.formats.moments import ZONE as BRASILIA

MINUTE_MS = 60_000
# A call that began before a gap may have its history in it, and the other way round.
BEFORE_MS = 15 * MINUTE_MS
AFTER_MS = 5 * MINUTE_MS

_FORMAT = "%Y-%m-%d %H:%M:%S"


class Period(NamedTuple):
    """A time as `start_date` and `end_date` of a request; both seconds are in it."""

    start: str
    end: str


def widened(since_ms: int, until_ms: int, first_ms: int, asked_ms: int) -> tuple[int, int]:
    """Return the time in which the histories of the calls of a gap may be.

    It does not begin before `first_ms`, and does not end after 3C Plus is asked.
    """
    return max(since_ms - BEFORE_MS, first_ms), min(until_ms + AFTER_MS, asked_ms)


def periods(since_ms: int, until_ms: int) -> list[Period]:
    """Return the periods that cover a time: one for each day in Brasília, the oldest first.

    Where the clocks were set back, an hour of the local time is there twice: then the period has
    both of them whole.
    """
    begin, end = _moment(since_ms), _moment(until_ms + 999)
    found = []
    while begin <= end:
        following = _next_day(begin)
        texts = sorted(_texts(begin, min(end, following - timedelta(seconds=1))))
        found.append(Period(texts[0], texts[-1]))
        begin = following
    return found


def _texts(begin: datetime, end: datetime) -> list[str]:
    """Return the local times of both ends, and of what is between them if the clock was set."""
    moments = [begin, end]
    if begin.astimezone(BRASILIA).utcoffset() != end.astimezone(BRASILIA).utcoffset():
        # The first and the last moment of the hour that the clock jumped over or went through
        # twice are found by going through the minutes.
        count = int((end - begin).total_seconds()) // 60
        moments += [begin + timedelta(minutes=each) for each in range(1, count + 1)]
        # A second less than a minute may be hidden between two of them.
        return [
            f"{each.astimezone(BRASILIA):%Y-%m-%d %H:%M}:{second}"
            for each in moments
            for second in ("00", "59")
        ]
    return [f"{each.astimezone(BRASILIA):{_FORMAT}}" for each in moments]


def _next_day(moment: datetime) -> datetime:
    """Return the beginning of the next day in Brasília, in UTC."""
    day = moment.astimezone(BRASILIA).date() + timedelta(days=1)
    local = datetime(day.year, day.month, day.day, tzinfo=BRASILIA)
    following = local.astimezone(UTC)
    # Where the day began at 1 h, midnight is an hour of the day before.
    return following if following > moment else following + timedelta(hours=1)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)
