"""The times that 3C Plus is asked for, in the local time of Brasília."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.events.recovery.periods import MINUTE_MS, Period, periods, widened

BRASILIA = ZoneInfo("America/Sao_Paulo")
# Days with an end of a day, of a month and of a year, and the last changes of the clocks.
DAYS = (
    *(datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)),
    *(datetime(2018, 11, 3, tzinfo=UTC), datetime(2019, 2, 16, tzinfo=UTC)),
)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@given(
    day=st.sampled_from(DAYS),
    begins=st.integers(0, 48 * 3600),
    lasts=st.integers(1, 40 * 3600),
    within=st.floats(0, 1),
)
def test_every_moment_of_a_time_is_in_one_of_its_periods(
    day: datetime, begins: int, lasts: int, within: float
) -> None:
    begin = day + timedelta(seconds=begins)
    moment = begin + timedelta(seconds=int(lasts * within))
    local = f"{moment.astimezone(BRASILIA):%Y-%m-%d %H:%M:%S}"
    found = periods(ms(begin), ms(begin + timedelta(seconds=lasts)))
    assert any(each.start <= local <= each.end for each in found)
    # A period is within one day, whatever the platform makes of its end.
    assert all(each.start[:10] == each.end[:10] and each.start <= each.end for each in found)


def test_a_time_over_midnight_has_a_period_for_each_day() -> None:
    begin, end = datetime(2026, 11, 30, 2, 59, tzinfo=UTC), datetime(2026, 11, 30, 3, 1, tzinfo=UTC)
    assert periods(ms(begin), ms(end)) == [
        Period("2026-11-29 23:59:00", "2026-11-29 23:59:59"),
        Period("2026-11-30 00:00:00", "2026-11-30 00:01:00"),
    ]


@pytest.mark.parametrize(
    ("first", "now", "begin", "end"),
    [(0, 10**9, 45, 75), (55, 10**9, 55, 75), (0, 72, 45, 72)],
    ids=["wider on both sides", "not before the first event", "not after now"],
)
def test_a_gap_is_looked_at_wider_than_it_was(first: int, now: int, begin: int, end: int) -> None:
    found = widened(60 * MINUTE_MS, 70 * MINUTE_MS, first * MINUTE_MS, now * MINUTE_MS)
    assert found == (begin * MINUTE_MS, end * MINUTE_MS)


def test_where_the_clocks_were_set_back_the_hour_is_asked_for_whole() -> None:
    # 23:30 the first time, and 23:10 the second.
    begin, moment = (datetime(2019, 2, 17, *each, tzinfo=UTC) for each in ((1, 30), (2, 10)))
    found = periods(ms(begin), ms(moment + timedelta(minutes=5)))
    assert [each for each in found if each.start <= "2019-02-16 23:10:00" <= each.end] == found
