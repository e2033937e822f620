"""A receiver that refuses part of the events keeps getting the rest: a short simulation.

`bench/lanes/refusals.py` plays all of it, at length.
"""

from __future__ import annotations

import pytest

from bench.lanes.refusals import HOUR, Case, broken_for, play, refusing, taking


@pytest.mark.parametrize("how", ["customer", "event", "random"])
@pytest.mark.parametrize(("part", "status"), [(0.33, 422), (0.33, 500), (0.9, 404)])
def test_what_is_not_refused_arrives_at_once(part: float, how: str, status: int) -> None:
    receiver, spoiled = refusing(part, how, status)
    found = play(Case("", receiver, 1.5, 300.0, arrivals="calls", spoiled=spoiled, resend_at=150.0))
    assert not found.failed, found
    assert found.held == 0.0
    assert found.good > 20


@pytest.mark.parametrize(("rate", "seconds"), [(2.0, 500.0), (3 / HOUR, 12 * HOUR)])
def test_five_minutes_of_404_for_everything_lose_nothing(rate: float, seconds: float) -> None:
    found = play(Case("", broken_for(300.0, 100.0, 404), rate, seconds, overloaded=True))
    assert (found.undelivered, found.waiting, found.given_up) == (0, 0, 0)


@pytest.mark.parametrize("status", [422, 500])
@pytest.mark.parametrize(("rate", "seconds"), [(5.0, 600.0), (3 / HOUR, 12 * HOUR)])
def test_a_receiver_that_refuses_everything_is_asked_gently(
    status: int, rate: float, seconds: float
) -> None:
    found = play(Case("", lambda *_: (status, None), rate, seconds, refuses_all=True))
    assert not found.failed, found
    assert found.given_up == 0


@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_busy_receiver_is_sent_to_at_its_own_pace(retry_after: float | None) -> None:
    found = play(Case("", taking(2.0, retry_after), 10.0, 300.0, overloaded=True))
    assert not found.failed, found
    # It takes 2 a second: most of that is used.
    assert found.posts * (1 - found.busy_share) > 300 * 2 * 0.75
