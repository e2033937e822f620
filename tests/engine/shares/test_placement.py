"""Which shares a process takes, follows and asks for, from what the others have."""

from __future__ import annotations

import time
from functools import partial

import pytest
from flask import Flask

from tests.engine.processes.playing import process
from tests.support.databases import own
from tests.web.support.sockets import execute
from webhookproxy.database.clock import ms_now
from webhookproxy.database.fence import SHARDS, shares_of
from webhookproxy.engine.shares import placement
from webhookproxy.engine.shares.placement import Placement
from webhookproxy.extensions import db

COUNT = 8


def placed(
    app: Flask, mine: list[int], *, most: int = SHARDS, others: dict[str, list[int]]
) -> Placement:
    """Return what "me" has after a look at what the others own; each beats its heart."""
    shares = shares_of(COUNT)
    for name, numbers in {"me": mine, **others}.items():
        process(app, name, "owner" if numbers else "standby")
        for number in numbers:
            own(app, shares[number], name)
    execute(app, "UPDATE leases SET heartbeat_at = heartbeat_at + 240000")
    with app.app_context():
        made = Placement(db.engine, "me", COUNT, most, lambda: mine)
    made.step()
    return made


@pytest.mark.parametrize(
    ("mine", "others", "asked"),
    [
        # A new process asks the one that has most, not for what another new one asks for.
        ([], {"a": [0, 1, 2, 3, 4, 5, 6, 7]}, 6),
        ([], {"a": [0, 1, 2, 3, 4, 5, 6, 7], "z": []}, 6),
        ([], {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7]}, 5),
        ([1], {"a": [0, 2, 3], "b": [4, 5, 6, 7]}, 5),
        # It has its part, or no one has two more.
        ([1, 2, 3], {"a": [0, 4], "b": [5, 6, 7]}, None),
        ([1, 2], {"a": [0, 3, 4], "b": [5, 6, 7]}, None),
        ([1, 2, 3, 4], {"a": [0, 5, 6, 7]}, None),
    ],
)
def test_a_process_below_its_part_asks_the_one_that_has_most(
    app: Flask, mine: list[int], others: dict[str, list[int]], asked: int | None
) -> None:
    assert placed(app, mine, others=others).asked == asked


def test_a_process_takes_its_part_at_once_and_more_only_if_no_one_else_does(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    mine: list[int] = [0, 1]
    made = placed(app, mine, others={"a": [2], "b": []})
    tried: list[int] = []

    def try_one(number: int) -> bool:
        tried.append(number)
        return False

    def try_all() -> list[int]:
        tried.clear()
        for number in range(COUNT):
            made.take(number, partial(try_one, number))
        return list(tried)

    # Three processes: a part is three shares.
    assert try_all() == list(range(COUNT))
    mine.append(3)
    assert try_all() == [0, 1, 3]
    now[0] += placement.PATIENCE
    assert try_all() == list(range(COUNT))
    assert [made.may_follow(7, seconds) for seconds in (0.0, placement.FOLLOW_PATIENCE)] == [
        False,
        True,
    ]


def test_what_is_being_tried_counts_so_that_many_free_shares_are_shared_out(app: Flask) -> None:
    made = placed(app, [], others={"a": [], "b": [], "c": []})
    assert made.take(7, lambda: made.take(6, lambda: not made.take(1, lambda: True)))
    # Four processes: a part is two of eight, and what is beyond it waits.
    assert made._tried.keys() == {1}


def test_a_process_for_pages_takes_and_follows_nothing_and_one_with_a_bound_no_more(
    app: Flask,
) -> None:
    pages = placed(app, [], most=0, others={"a": [0, 1, 2, 3, 4, 5, 6, 7]})
    assert pages.asked is None
    assert not pages.take(0, lambda: True)
    assert not pages.may_follow(0, 60.0)
    execute(app, "DELETE FROM processes")
    bounded = placed(app, [0, 1], most=16, others={"b": [2, 3, 4, 5, 6, 7]})
    assert bounded.asked is None
    assert not bounded.take(5, lambda: True)
    assert bounded.take(1, lambda: True)


def test_a_share_that_an_administrator_wants_elsewhere_is_asked_for_and_by_no_one_else(
    app: Flask,
) -> None:
    made = placed(app, [0, 1, 2, 3], others={"a": [4, 5, 6, 7]})
    wish = "INSERT INTO handovers (shard, fence, wanted, wanted_at) VALUES (:shard, 0, :name, :at)"
    execute(app, wish, shard=6, name="me", at=ms_now())
    made.step()
    assert made.asked == 6
    execute(app, "UPDATE handovers SET wanted_at = wanted_at - :most", most=placement.WANTED_MS * 2)
    made.step()
    assert made.asked is None


def test_with_one_share_nothing_is_shared(app: Flask) -> None:
    with app.app_context():
        made = Placement(db.engine, "me", 1, SHARDS, lambda: ())
    assert not made.step()
    assert made.take(0, lambda: True)
    assert made.may_follow(0, 0.0)
