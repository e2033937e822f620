"""Whether a company's silence is odd, judged by what it usually gets at such an hour.

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
# Weeks that are looked back, and how many of them must be known before anything is odd.
WEEKS = 8
WEEKS_KNOWN = 2
WEEK_HOURS = 24 * 7
# However much usually comes, so many minutes of silence are not odd: people pause together.
LEAST_MINUTES = 10.0
# However long it lasts, silence is odd only once so many events are missing. They do not come one
# by one: a call brings half a dozen, so that these are five calls, not thirty pieces of evidence.
LEAST_EVENTS = 30.0
# What happened before that says nothing of now.
LOOKED_BACK_SECONDS = WEEK_HOURS * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Missed:
    """What should have come in a silence: for how many minutes, and how many events."""

    minutes: float
    events: float

    @property
    def is_odd(self) -> bool:
        """Whether chance does not explain it."""
        return self.minutes >= LEAST_MINUTES and self.events >= LEAST_EVENTS


def hour_of(moment: float) -> int:
    """The number of an hour since 1970, as the counters have it."""
    return int(moment // HOUR_SECONDS)


def week_of(hour: int) -> int:
    """The number of the week since 1970 that an hour lies in."""
    return hour // WEEK_HOURS


def same_hours(hour: int, timezone: str) -> list[int]:
    """That hour of that weekday in the weeks before, newest first, by the clock on the wall."""
    # Arithmetic in a zone keeps the wall's time, so that summer time does not shift a working day.
    wall = datetime.fromtimestamp(hour * HOUR_SECONDS, ZoneInfo(timezone))
    weeks = range(1, WEEKS + 1)
    return [hour_of((wall - timedelta(weeks=back)).timestamp()) for back in weeks]


def usual(hour: int, timezone: str, counts: Mapping[int, int], known_weeks: Collection[int]) -> int:
    """How many events usually come in an hour; 0 as long as too few weeks are known.

    `counts` has the events of earlier hours (none: 0), `known_weeks` the weeks with any event at
    all: one in which the company was not connected tells nothing.
    """
    past = [each for each in same_hours(hour, timezone) if week_of(each) in known_weeks]
    if len(past) < WEEKS_KNOWN:
        return 0
    return median_low(counts.get(each, 0) for each in past)


def missed(usual_by_hour: Mapping[int, int], since: float, now: float) -> Missed:
    """What usually comes between two moments (seconds since 1970); nothing outside working hours.

    `usual_by_hour` has what usual() says of the hours_between() these moments.
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
    """Whether events usually come in an hour, as far as it can be known.

    When within its first hour a working day begins is not known before something has come.
    """
    opens = not usual_by_hour[hour - 1] and since < hour * HOUR_SECONDS
    return usual_by_hour[hour] > 0 and not opens


def _idle_minutes(count: int, before: int, after: int) -> float:
    """For how much of an hour nothing may come as a rule.

    One that brings half of its neighbour may be worked through at half the pace, or for half an
    hour: lunch from half past twelve, a day that ends at 17:40.
    """
    idle = 60 * (1 - count / max(count, before, after))
    return idle if idle >= LEAST_MINUTES else 0.0


def hours_between(since: float, now: float) -> range:
    """The hours that missed() needs to know the usual of."""
    return range(hour_of(since) - 1, hour_of(now) + 2)
