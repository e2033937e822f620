"""One pace for each company, over the engine and the pages."""

from __future__ import annotations

import pytest

from webhookproxy.platform import pace
from webhookproxy.platform.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr("webhookproxy.platform.pace.gevent.sleep", sleep)
    return clock


def test_turns_of_a_company_are_two_and_a_half_seconds_apart(clock: Clock) -> None:
    paced = Pace(clock)
    at = []
    for _ in range(3):
        assert paced.take(1, patience=10)
        at.append(clock.now)
    assert at == [100.0, 102.5, 105.0]
    assert paced.take(2, patience=0)


def test_a_turn_that_is_too_far_away_is_not_waited_for(clock: Clock) -> None:
    paced = Pace(clock)
    paced.hold(1, 60)
    assert not paced.take(1, patience=10)
    assert (clock.now, paced.free_in(1)) == (100.0, 60.0)
    # What 3C Plus asks for has an end.
    paced.hold(1, 1e9)
    assert paced.free_in(1) == pace.HOLD_MAX


def test_companies_that_may_be_asked_for_are_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "REMEMBERED", 3)
    paced = Pace(clock)
    for company in range(10):
        assert paced.take(company, patience=0)
        clock.now += 10
    assert len(paced._free_at) <= 3


def test_a_new_owner_waits_as_if_each_company_had_been_asked_for_now(clock: Clock) -> None:
    paced = Pace(clock)
    paced.hold_all()
    assert [paced.free_in(company) for company in (1, 2)] == [2.5, 2.5]
    assert not paced.take(1, patience=1)
    assert paced.take(1, patience=10)
    assert (clock.now, paced.free_in(1)) == (102.5, 2.5)


def test_a_hold_that_comes_during_the_wait_is_waited_for_too(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced = Pace(clock)
    assert paced.take(1, patience=0)
    holds = [60.0, 300.0]

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if holds:
            paced.hold(1, holds.pop(0))

    monkeypatch.setattr("webhookproxy.platform.pace.gevent.sleep", sleep)
    assert not paced.take(1, patience=100)
    # The first hold began at 102.5, the second when that was over.
    assert clock.now == 162.5
    assert paced.free_in(1) == 300.0
    assert paced.take(1, patience=300)
    assert clock.now == 462.5
