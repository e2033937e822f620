"""The buffer between the sockets and the store: bounded, in order, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
import pytest
from gevent.monkey import get_original
from sqlalchemy import Connection, text

from tests.listener.listening import Listening
from tests.support.application import store_of, wait_until
from tests.support.databases import raised
from webhookproxy.database import connections, store
from webhookproxy.database.fence import ALL_SHARDS, Fence, Fenced
from webhookproxy.events import payload
from webhookproxy.listener import buffer, intake, routes
from webhookproxy.listener.journal import Written
from webhookproxy.listener.routes import Arrival

T = TypeVar("T")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times after which a locked database is noticed and tried again."""
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.05)


def numbers(half: Listening) -> list[str]:
    return [event.payload for event in half.events()]


def test_events_that_wait_together_are_committed_together(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store_of(half.app).run
    commits: list[int] = []

    def counted(job: Callable[[Connection], T], **named: Any) -> T:
        commits.append(1)
        return run(job, **named)

    monkeypatch.setattr(store_of(half.app), "run", counted)
    for number in range(100):
        half.feed().event(f'["x",{number}]')
    half.wait_for_events(100)
    assert numbers(half) == [str(number) for number in range(100)]
    assert len(commits) == 1


@pytest.mark.usefixtures("impatient")
def test_a_group_whose_commit_was_not_heard_of_is_not_stored_twice(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store_of(half.app).run
    lost = [True]

    def deaf(job: Callable[[Connection], T], **named: Any) -> T:
        value = run(job, **named)
        if lost:
            lost.pop()
            raise store.StoreUnavailable("the answer got lost")
        return value

    monkeypatch.setattr(store_of(half.app), "run", deaf)
    for number in range(3):
        half.feed().event(f'["x",{number}]')
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
    half.feed().event('["x",1]')
    wait_until(lambda: half.fenced, 20, "the intake is told")
    assert half.events() == []
    assert half.intake.waiting == 1
    # No process owned the sockets between: what waits is stored when this one owns them again.
    half.intake.start(raised(half.ownership.fence), continued=ALL_SHARDS)
    half.wait_for_events(1)


def test_after_another_owner_what_waited_is_given_up_and_the_sockets_are_read_again(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "BUFFER_EVENTS", 5)
    raise_the_fence(half, by=2)
    for number in range(10):
        half.feed().event(f'["x",{number}]')
    wait_until(lambda: half.fenced, 20, "the intake is told")
    half.intake.start(raised(half.ownership.fence, by=2), continued=())
    assert half.intake.waiting == 0
    assert half.intake.buffer.wait_until_accepting(1.0)
    half.feed().event('["x",99]')
    half.wait_for_events(1)
    assert numbers(half) == ["99"]


def test_a_group_that_was_stored_in_part_goes_on_where_it_stopped(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = half.intake.journal.write
    sizes: list[int] = []

    def failing(arrivals: list[Arrival], fence: Fence, *, again: bool) -> Written:
        sizes.append(len(arrivals))
        if sizes == [3]:
            raise ValueError("the group cannot be stored")
        if sizes == [3, 1, 1]:
            raise Fenced
        return write(arrivals, fence, again=again)

    monkeypatch.setattr(half.intake.journal, "write", failing)
    for number in range(3):
        half.feed().event(f'["x",{number}]')
    wait_until(lambda: half.fenced, 20, "the intake is told")
    assert half.intake.waiting == 2
    raise_the_fence(half, by=1)
    half.intake.start(raised(half.ownership.fence), continued=ALL_SHARDS)
    half.wait_for_events(3)
    assert numbers(half) == ["0", "1", "2"]
    assert sizes == [3, 1, 1, 2]


def test_an_event_that_a_bug_cannot_read_is_a_marker_and_costs_no_other(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_with_value = payload.read_with_value

    def failing(text: str, *rest: Any, **named: Any) -> Any:
        if "poison" in text:
            raise RuntimeError("a bug")
        return read_with_value(text, *rest, **named)

    monkeypatch.setattr(payload, "read_with_value", failing)
    for packet in ('["x",1]', '["poison",2]', '["x",3]'):
        half.feed().event(packet)
    events = half.wait_for_events(3)
    assert [event.note for event in events] == ["unwanted", "unreadable", "unwanted"]


@pytest.mark.usefixtures("impatient")
def test_the_intake_goes_on_after_any_error_and_stores_nothing_twice(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [1, 2]

    def failing(*_: Any) -> None:
        if failures:
            failures.pop()
            raise RuntimeError("a bug")

    monkeypatch.setattr(half.relay.lanes, "offer", failing)
    half.feed().event('["x",1]')
    half.wait_for_events(1)
    with monkeypatch.context() as patch:
        patch.setattr(half.intake.buffer, "pop", failing)
        half.feed().event('["x",2]')
        wait_until(lambda: not failures, 20, "both errors were met")
    half.feed().event('["x",3]')
    half.wait_for_events(3)
    assert numbers(half) == ["1", "2", "3"]


def test_reading_a_group_lets_others_run(half: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    read = routes.read

    def slowly(*given: Any) -> Arrival:
        get_original("time", "sleep")(0.003)
        return read(*given)

    monkeypatch.setattr(intake, "read", slowly)
    for number in range(60):
        half.feed().event(f'["x",{number}]')
    turns = 0
    while half.intake.waiting:
        gevent.sleep(0)
        turns += 1
    # 180 ms of reading, at most 8 ms at a stretch.
    assert turns > 20
    half.wait_for_events(60)
    assert numbers(half) == [str(number) for number in range(60)]


def take(half: Listening, *shards: int) -> None:
    """Own some shards, as another process would."""
    where = ", ".join(map(str, shards))
    statement = f"UPDATE leases SET fence = fence + 1, holder = 'another' WHERE shard IN ({where})"
    store_of(half.app).run(lambda connection: connection.execute(text(statement)) and None)


def test_events_of_a_shard_that_another_process_took_wait_and_the_others_are_stored(
    any_half: Listening,
) -> None:
    half = any_half
    take(half, 2)
    for number in range(3):
        for company in (1, 2, 3):
            half.feed(company).event(f'["x",{company}{number}]')
    half.wait_for_events(6)
    wait_until(lambda: half.intake.drain(1) and half.fenced, 20, "the intake is told")
    assert half.intake.waiting == 3
    # The shard of which the numbers were: those of another one are higher.
    take(half, 0)
    for company in (1, 2, 3):
        half.feed(company).event(f'["x",{company}3]')
    half.wait_for_events(8)
    assert half.intake.drain(20)
    for first in "13":
        of_company = [each for each in numbers(half) if each[0] == first]
        assert of_company == [f"{first}{number}" for number in range(4)]
    assert {event.id >> 6 & 63 for event in half.events()[6:]} == {1}
    assert half.intake.waiting == 4
    # Only what the other process's sockets brought too is given up.
    take(half, *ALL_SHARDS - {0, 2})
    half.intake.start(raised(half.ownership.fence), continued=ALL_SHARDS - {0, 2})
    assert half.intake.waiting == 0
    half.feed(2).event('["x",24]')
    half.wait_for_events(9)
    assert numbers(half)[8:] == ["24"]


def test_what_another_process_did_not_take_is_stored_when_this_one_owns_shards_again(
    half: Listening,
) -> None:
    take(half, *ALL_SHARDS)
    for company in (1, 2):
        half.feed(company).event(f'["x",{company}]')
    wait_until(lambda: half.intake.drain(1) and half.fenced, 20, "the intake is told")
    half.feed(1).event('["x",11]')
    assert half.intake.drain(20)
    assert half.intake.waiting == 3
    fence = raised(half.ownership.fence)
    half.intake.start(fence, continued=ALL_SHARDS - {2})
    half.wait_for_events(2)
    assert numbers(half) == ["1", "11"]
