"""Whether a company's silence is unusual, compared with the usual events of the hour.

Functions of counters and clocks. "Usual" is the median of the same weekday and hour, by the
company's clock, over the weeks that are known: one holiday or one campaign does not move it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

HOUR_SECONDS = 3600
# How many weeks to look back, and how many must be known before a silence can be unusual.
WEEKS = 8
WEEKS_KNOWN = 2
WEEK_HOURS = 24 * 7
# Shorter silences, in minutes, are never unusual: people pause together.
LEAST_MINUTES = 10.0
# With fewer missing events a silence is never unusual. Events do not come one by one: a call brings
# half a dozen, so these are five calls, not thirty pieces of evidence.
LEAST_EVENTS = 30.0
# Earlier events say nothing about now.
LOOKED_BACK_SECONDS = WEEK_HOURS * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Missed:
    """The events that should have come in a silence, and for how many minutes."""

    minutes: float
    events: float

    @property
    def is_odd(self) -> bool:
        """Return whether chance cannot explain it."""
        return self.minutes >= LEAST_MINUTES and self.events >= LEAST_EVENTS


def hour_of(moment: float) -> int:
    """Return the number of an hour since 1970, as in the counters."""
    return int(moment // HOUR_SECONDS)


def week_of(hour: int) -> int:
    """Return the number of an hour's week since 1970."""
    return hour // WEEK_HOURS


def same_hours(hour: int, timezone: str) -> list[int]:
    """Return this hour of this weekday in the weeks before, newest first, in local time."""
    # Arithmetic in a zone keeps local time, so summer time does not shift a working day.
    wall = datetime.fromtimestamp(hour * HOUR_SECONDS, ZoneInfo(timezone))
    weeks = range(1, WEEKS + 1)
    return [hour_of((wall - timedelta(weeks=back)).timestamp()) for back in weeks]


def usual(hour: int, timezone: str, counts: Mapping[int, int], known_weeks: Collection[int]) -> int:
    """Return how many events usually come in an hour; 0 while too few weeks are known.

    `counts` has the events of earlier hours (none: 0), `known_weeks` the weeks with any event at
    all: one in which the company was not connected tells nothing.
    """
    past = [each for each in same_hours(hour, timezone) if week_of(each) in known_weeks]
    if len(past) < WEEKS_KNOWN:
        return 0
    return median_low(counts.get(each, 0) for each in past)


def missed(usual_by_hour: Mapping[int, int], since: float, now: float) -> Missed:
    """Return what usually comes between two moments (seconds since 1970) in working hours.

    `usual_by_hour` has usual() of the hours_between() these moments.
    """
    minutes = events = 0.0
    if not _is_worked(usual_by_hour, hour_of(now), since):
        return Missed(minutes, events)
    for hour in range(hour_of(since), hour_of(now) + 1):
        if not _is_worked(usual_by_hour, hour, since):
            continue
        began, count = hour * HOUR_SECONDS, usual_by_hour[hour]
        silent = (min(now, began + HOUR_SECONDS) - max(since, began)) / 60
        idle = _idle_minutes(count, usual_by_hour[hour - 1], usual_by_hour[hour + 1])
        counted = max(0.0, silent - idle)
        minutes += counted
        events += counted * count / (60 - idle)
    return Missed(minutes, events)


def _is_worked(usual_by_hour: Mapping[int, int], hour: int, since: float) -> bool:
    """Return whether events usually come in an hour, as far as that can be known.

    When a working day begins within its first hour is not known before its first event.
    """
    opens = not usual_by_hour[hour - 1] and since < hour * HOUR_SECONDS
    return usual_by_hour[hour] > 0 and not opens


def _idle_minutes(count: int, before: int, after: int) -> float:
    """Return for how many minutes of an hour usually nothing comes.

    An hour with half the events of the hour beside it may be worked at half the pace, or for half
    an hour: lunch from half past twelve, a day that ends at 17:40.
    """
    idle = 60 * (1 - count / max(count, before, after))
    return idle if idle >= LEAST_MINUTES else 0.0


def hours_between(since: float, now: float) -> range:
    """Return the hours whose usual() missed() needs."""
    return range(hour_of(since) - 1, hour_of(now) + 2)
