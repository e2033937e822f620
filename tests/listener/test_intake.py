"""The buffer between the sockets and the store: bounded, in order, and nothing lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import gevent
import pytest
from flask import Flask
from sqlalchemy import Connection, text

from tests.listener.listening import Listening, listening
from tests.simulator_process import SimulatorProcess
from tests.world import rows, store_of, wait_until
from webhookproxy import store
from webhookproxy.listener import intake
from webhookproxy.listener.intake import Link
from webhookproxy.listener.journal import Arrival
from webhookproxy.models.deliveries import Due

T = TypeVar("T")

LINK = Link(company_id=1, token_mask="…", hide_credentials=True, socket_id="socket")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is noticed, and asked again, within a moment."""
    monkeypatch.setattr(store, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.05)


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """While it lasts another program holds the write lock of the SQLite file."""
    path = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def numbers(half: Listening) -> list[str]:
    return [event.payload for event in half.events()]


@pytest.mark.usefixtures("impatient")
def test_while_the_store_is_blocked_the_socket_is_not_read_and_nothing_is_lost(
    simulator: SimulatorProcess,
    half: Listening,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "BUFFER_EVENTS", 40)
    monkeypatch.setattr(intake, "GROUP_EVENTS", 10)
    token = "blocked-token-0001"
    half.connected(token)
    with locked(half.app):
        for number in range(200):
            simulator.control("emit", token=token, event="x", args=[number])
        wait_until(lambda: half.intake.waiting >= 40, 5, "the buffer is full")
        gevent.idle()
        # The group in hand and one packet that was being read come on top.
        assert half.intake.waiting <= 52
        assert store_of(half.app).failing_since is not None
    half.wait_for_events(200)
    assert numbers(half) == [str(number) for number in range(200)]
    # The rows can be read a moment before the intake hears of their commit.
    wait_until(lambda: half.intake.waiting == 0, 2, "nothing waits")
    assert store_of(half.app).failing_since is None
    assert simulator.state(token)["handshakes"] == 1


def test_events_that_wait_together_are_committed_together(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store_of(half.app).run
    commits: list[int] = []

    def counted(job: Callable[[Connection], T], *, fence: int | None = None) -> T:
        commits.append(1)
        return run(job, fence=fence)

    monkeypatch.setattr(store_of(half.app), "run", counted)
    for number in range(100):
        half.intake.take(LINK, f'["x",{number}]')
    half.wait_for_events(100)
    assert numbers(half) == [str(number) for number in range(100)]
    assert len(commits) == 1


@pytest.mark.usefixtures("impatient")
def test_a_group_whose_commit_was_not_heard_of_is_not_stored_twice(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store_of(half.app).run
    lost = [True]

    def deaf(job: Callable[[Connection], T], *, fence: int | None = None) -> T:
        value = run(job, fence=fence)
        if lost:
            lost.pop()
            raise store.StoreUnavailable("the answer got lost")
        return value

    monkeypatch.setattr(store_of(half.app), "run", deaf)
    for number in range(3):
        half.intake.take(LINK, f'["x",{number}]')
    wait_until(lambda: half.intake.drain(1) and half.intake.waiting == 0)
    assert numbers(half) == ["0", "1", "2"]


def raise_the_fence(half: Listening, by: int) -> None:
    store_of(half.app).run(
        lambda connection: (
            connection.execute(text("UPDATE leases SET fence = fence + :by"), {"by": by}) and None
        )
    )


def test_a_former_owner_stores_nothing_and_is_told(half: Listening) -> None:
    raise_the_fence(half, by=1)
    half.intake.take(LINK, '["x",1]')
    wait_until(lambda: half.fenced, 2, "the intake is told")
    assert half.events() == []
    assert half.intake.waiting == 1
    # Nobody owned the sockets in between: what waits is stored once this process owns them again.
    assert half.ownership.fence is not None
    half.intake.start(half.ownership.fence + 1, continued=True)
    half.wait_for_events(1)


def test_after_another_owner_what_waited_is_given_up_and_the_sockets_are_read_again(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BUFFER_EVENTS", 5)
    raise_the_fence(half, by=2)
    for number in range(10):
        half.intake.take(LINK, f'["x",{number}]')
    wait_until(lambda: half.fenced, 2, "the intake is told")
    assert half.ownership.fence is not None
    half.intake.start(half.ownership.fence + 2, continued=False)
    assert half.intake.waiting == 0
    with gevent.Timeout(1):
        half.intake.wait_for_room()
    half.intake.take(LINK, '["x",99]')
    half.wait_for_events(1)
    assert numbers(half) == ["99"]


def test_a_group_that_was_stored_in_part_goes_on_where_it_stopped(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = half.intake._journal.write
    sizes: list[int] = []

    def failing(arrivals: list[Arrival], fence: int, *, again: bool) -> list[Due]:
        sizes.append(len(arrivals))
        if sizes == [3]:
            raise ValueError("the group cannot be stored")
        if sizes == [3, 1, 1]:
            raise store.Fenced
        return write(arrivals, fence, again=again)

    monkeypatch.setattr(half.intake._journal, "write", failing)
    for number in range(3):
        half.intake.take(LINK, f'["x",{number}]')
    wait_until(lambda: half.fenced, 2, "the intake is told")
    assert half.intake.waiting == 2
    raise_the_fence(half, by=1)
    assert half.ownership.fence is not None
    half.intake.start(half.ownership.fence + 1, continued=True)
    half.wait_for_events(3)
    assert numbers(half) == ["0", "1", "2"]
    assert sizes == [3, 1, 1, 2]


def test_a_flood_is_stored_whole_and_in_order(app: Flask, simulator: SimulatorProcess) -> None:
    token = "flooding-token-0001"
    with listening(app, simulator) as half:
        half.connected(token)
        simulator.control("burst", token=token, count=20_000)
        wait_until(lambda: rows(app, "SELECT COUNT(*) AS n FROM events")[0].n == 20_000, 30)
        order = rows(app, "SELECT json_extract(payload, '$.seq') AS seq FROM events ORDER BY id")
    assert [row.seq for row in order] == list(range(1, 20_001))
