"""What a process with several shares reads once for all of them, and the steps that it spares."""

from __future__ import annotations

import gevent
import pytest
from flask import Flask

from tests.support.application import make_company, store_of
from tests.support.databases import own
from tests.web.support.sockets import execute
from webhookproxy.database.fence import Share
from webhookproxy.engine.shares import spared
from webhookproxy.engine.shares.read_once import News, ReadOnce
from webhookproxy.engine.shares.spared import Spared
from webhookproxy.extensions import db
from webhookproxy.listener.handover.agreement import Agreement, State, states_of

COUNT = 4
FOREVER = 3_600.0


class Counted:
    """A reading that counts, and yields as a database does."""

    def __init__(self) -> None:
        self.times = 0
        self.fails = False

    def __call__(self) -> int:
        self.times += 1
        times = self.times
        gevent.sleep(0)
        if self.fails:
            raise LookupError
        return times


class OneJob:
    """A job whose steps are counted; the last one did nothing unless it is told otherwise."""

    pause = 0.5

    def __init__(self) -> None:
        self.steps = 0
        self.does = False

    def step(self) -> bool:
        self.steps += 1
        return self.does


def test_those_that_ask_at_once_share_one_reading_until_it_is_forgotten() -> None:
    read = Counted()
    once = ReadOnce(read, FOREVER)
    asking = [gevent.spawn(once.get) for _ in range(16)]
    gevent.joinall(asking)
    assert [each.value for each in asking] == [1] * 16
    once.forget()
    assert once.get() == once.get() == 2
    assert ReadOnce(read, -1.0).get() == 3


def test_what_was_read_before_something_changed_is_not_kept() -> None:
    read = Counted()
    once = ReadOnce(read, FOREVER)
    early = gevent.spawn(once.get)
    gevent.sleep(0)
    once.forget()
    assert once.get() == 2
    assert early.get() == 1


def test_a_reading_that_failed_is_made_again() -> None:
    read = Counted()
    once = ReadOnce(read, FOREVER)
    read.fails = True
    for _ in range(2):
        with pytest.raises(LookupError):
            once.get()
    read.fails = False
    assert once.get() == 3


def test_a_share_without_work_is_spared_its_steps_and_one_with_work_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    concerned: set[int] = set()
    job = OneJob()
    here = Spared(job, Share(1, COUNT), lambda: concerned)
    # The first step belongs to a new owner.
    for steps in (1, 1, 1):
        here.step()
        assert job.steps == steps
    concerned.add(COUNT + 2)
    here.step()
    assert job.steps == 1
    concerned.add(COUNT + 1)
    for steps in (2, 3):
        here.step()
        assert job.steps == steps
    # One more, which sees that it was all; and others while they do something.
    concerned.clear()
    job.does = True
    for steps in (4, 5, 6):
        here.step()
        assert job.steps == steps
        job.does = steps == 4
    here.step()
    assert job.steps == 6
    # Some things are due by the clock alone.
    monkeypatch.setattr(spared, "AT_LATEST_SECONDS", -1.0)
    late = Spared(job, Share(1, COUNT), lambda: concerned)
    for steps in (7, 8, 9):
        late.step()
        assert job.steps == steps


def test_the_states_of_all_shares_are_those_that_each_reads(any_app: Flask) -> None:
    with any_app.app_context():
        reading = db.engine
    assert states_of(reading, COUNT) == {}
    store = store_of(any_app)
    mine = [Agreement(store, reading, each) for each in range(COUNT)]
    fence = own(any_app, Share(1, COUNT))
    # Another share had more owners.
    for _ in range(2):
        own(any_app, Share(3, COUNT))
    mine[1].wait()
    mine[1].offer(fence.number(1))
    mine[1].claim("another", fence.number(1))
    mine[1].seen("another", fence.number(1), [5])
    mine[2].ask()
    found = states_of(reading, COUNT)
    assert found == {each: mine[each].read() for each in (1, 2)}
    assert found[1].offered
    assert found[1].standing == frozenset({5})
    assert found[2].asked
    together = Agreement(store, reading, 2, lambda: found)
    mine[2].claim("another", 0)
    assert together.glance().asked
    assert not together.read().asked
    assert Agreement(store, reading, 3, lambda: found).glance() == State()


def test_a_share_looks_for_changes_only_after_one(any_app: Flask) -> None:
    with any_app.app_context():
        reading = db.engine
    alone, several = News(reading, 1), News(reading, COUNT)
    assert alone.may_follow(0)
    assert not several.may_follow(0)
    make_company(any_app, token="a-token-of-a-company")
    several.forget()
    assert several.may_follow(0)
    execute(any_app, "UPDATE revision SET number = 7")
    several.forget()
    assert several.may_follow(6)
    assert not several.may_follow(7)
    assert alone.may_follow(7)
    assert alone.states is None
