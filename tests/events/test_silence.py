"""When a company's silence is odd: never by night, at lunch, or before two weeks are known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from webhookproxy.events import silence

SAO_PAULO = "America/Sao_Paulo"
# The events of one working day, by local hour: half of the people are at lunch from twelve to two.
CALL_CENTRE = {hour: 1200 if hour in (12, 13) else 2400 for hour in range(8, 18)}
TODAY = "2026-11-25"  # a Wednesday


def at(text: str, timezone: str = SAO_PAULO) -> float:
    """Return a local moment in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).timestamp()


def counters(
    day: Mapping[int, int],
    *,
    until: str = TODAY,
    weeks: int = 8,
    timezone: str = SAO_PAULO,
    holidays: tuple[str, ...] = (),
) -> dict[int, int]:
    """Return the hours of the working days in `weeks` weeks before a day."""
    counts: dict[int, int] = {}
    for back in range(1, weeks * 7 + 1):
        date = datetime.fromisoformat(until) - timedelta(days=back)
        if date.weekday() < 5 and date.date().isoformat() not in holidays:
            for hour, count in day.items():
                moment = at(date.replace(hour=hour).isoformat(), timezone)
                counts[silence.hour_of(moment)] = count
    return counts


def odd(counts: Mapping[int, int], heard: str, now: str, timezone: str = SAO_PAULO) -> bool:
    """Return whether a page would report a silence at a moment."""
    weeks = {silence.week_of(hour) for hour in counts}
    since, until = at(heard, timezone), at(now, timezone)
    usual = {
        hour: silence.usual(hour, timezone, counts, weeks)
        for hour in silence.hours_between(since, until)
    }
    return silence.missed(usual, since, until).is_odd


@pytest.mark.parametrize(
    ("heard", "now", "expected"),
    [
        # Ten minutes without forty events a minute are longer than a pause.
        (f"{TODAY}T10:05:00", f"{TODAY}T10:14:59", False),
        (f"{TODAY}T10:05:00", f"{TODAY}T10:15:01", True),
        (f"{TODAY}T09:58:00", f"{TODAY}T10:08:30", True),
        # All at lunch from half past twelve to half past one would give the same hours.
        (f"{TODAY}T12:30:00", f"{TODAY}T13:29:00", False),
        (f"{TODAY}T12:30:00", f"{TODAY}T13:45:00", True),
        # By night, and at the weekend.
        (f"{TODAY}T17:58:00", f"{TODAY}T18:30:00", False),
        (f"{TODAY}T17:30:00", f"{TODAY}T23:30:00", False),
        ("2026-11-20T17:59:00", "2026-11-22T11:00:00", False),
        # The day may begin at any time in its first hour, but it began by nine.
        ("2026-11-24T17:59:00", f"{TODAY}T07:59:00", False),
        ("2026-11-24T17:59:00", f"{TODAY}T08:55:00", False),
        ("2026-11-24T17:59:00", f"{TODAY}T09:08:00", False),
        ("2026-11-24T17:59:00", f"{TODAY}T09:11:00", True),
        # After the beginning, the first hour counts like the others.
        (f"{TODAY}T08:20:00", f"{TODAY}T08:31:00", True),
        # A silence from before the weekend is odd again on Monday, after the day began.
        ("2026-11-20T10:00:00", "2026-11-23T08:30:00", False),
        ("2026-11-20T10:00:00", "2026-11-23T09:01:00", True),
    ],
)
def test_a_call_centre_is_pointed_at_in_its_hours_only(
    heard: str, now: str, expected: bool
) -> None:
    assert odd(counters(CALL_CENTRE), heard, now) is expected


def test_nothing_is_odd_before_two_weeks_are_known() -> None:
    heard, now = f"{TODAY}T10:00:00", f"{TODAY}T11:30:00"
    for weeks, expected in ((0, False), (1, False), (2, True), (3, True)):
        assert odd(counters(CALL_CENTRE, weeks=weeks), heard, now) is expected, weeks
    # Thirteen days are not two weeks.
    thirteen = {
        hour: count
        for hour, count in counters(CALL_CENTRE, weeks=2).items()
        if hour >= silence.hour_of(at("2026-11-12T12:00:00"))
    }
    assert not odd(thirteen, heard, now)


def test_a_holiday_today_is_pointed_at_and_one_in_the_past_changes_nothing() -> None:
    """The counters cannot know today's holiday; the sentence on the page says so."""
    heard, now = "2026-11-24T17:59:00", f"{TODAY}T09:30:00"
    assert odd(counters(CALL_CENTRE), heard, now)
    past = counters(CALL_CENTRE, holidays=("2026-11-18",))
    assert odd(past, heard, now)
    # One of two known weeks was a holiday: the usual number is not known yet.
    assert not odd(counters(CALL_CENTRE, weeks=2, holidays=("2026-11-18",)), heard, now)


def test_a_company_with_three_events_an_hour_is_left_alone_for_a_working_day() -> None:
    few = counters(dict.fromkeys(range(8, 20), 3))
    assert not odd(few, f"{TODAY}T10:00:00", f"{TODAY}T10:12:00")
    assert not odd(few, f"{TODAY}T09:00:00", f"{TODAY}T18:50:00")
    assert odd(few, f"{TODAY}T09:00:00", f"{TODAY}T19:10:00")


def test_one_event_a_minute_is_missed_after_half_an_hour() -> None:
    some = counters(dict.fromkeys(range(8, 18), 60))
    assert not odd(some, f"{TODAY}T10:00:00", f"{TODAY}T10:29:00")
    assert odd(some, f"{TODAY}T10:00:00", f"{TODAY}T10:31:00")


def test_weeks_in_which_nothing_came_at_all_are_not_counted() -> None:
    """The company was disconnected for six weeks, and has been back for two."""
    counts = counters(CALL_CENTRE, weeks=2)
    counts[silence.hour_of(at("2026-08-03T10:00:00"))] = 7
    assert odd(counts, f"{TODAY}T10:00:00", f"{TODAY}T10:30:00")


def test_a_working_day_does_not_move_with_summer_time() -> None:
    """New York's clocks went back on the first of November: nine o'clock is an hour later, UTC."""
    counts = counters(CALL_CENTRE, until="2026-11-04", timezone="America/New_York")
    assert odd(counts, "2026-11-04T10:00:00", "2026-11-04T10:20:00", "America/New_York")
    # In UTC this is the last working hour of the weeks before.
    assert not odd(counts, "2026-11-04T07:10:00", "2026-11-04T07:50:00", "America/New_York")
    assert odd(counts, "2026-11-04T17:10:00", "2026-11-04T17:30:00", "America/New_York")


def test_a_day_that_ends_at_twenty_to_six_is_not_pointed_at_every_evening() -> None:
    counts = counters({**CALL_CENTRE, 17: 1600})
    assert not odd(counts, f"{TODAY}T17:40:00", f"{TODAY}T17:59:59")
    assert odd(counts, f"{TODAY}T17:05:00", f"{TODAY}T17:45:00")


def test_half_an_hour_of_a_timezone_is_no_obstacle() -> None:
    counts = counters(CALL_CENTRE, timezone="Asia/Kolkata")
    assert odd(counts, f"{TODAY}T11:00:00", f"{TODAY}T11:20:00", "Asia/Kolkata")
    assert not odd(counts, f"{TODAY}T21:00:00", f"{TODAY}T23:00:00", "Asia/Kolkata")
