from __future__ import annotations

from collections import defaultdict

import pytest

from tests.delivery.waiting.window_rows import NOW_MS, Bench, ids
from webhookproxy.delivery.waiting import walk
from webhookproxy.delivery.waiting.keys import FOLLOWERS_MAX
from webhookproxy.delivery.waiting.retries import DUE_AHEAD_MAX
from webhookproxy.delivery.waiting.walk import CHUNK, FRESH_MAX, HELD_MAX


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def strict() -> Bench:
    return Bench(strict=True)


def test_an_empty_window_has_nothing_to_send(bench: Bench) -> None:
    assert not bench.window.more()
    assert bench.next() is None
    assert bench.window.soonest(bench.now) is None


def test_keys_go_side_by_side_and_the_rows_of_a_key_one_by_one(bench: Bench) -> None:
    bench.arrive("aabcb")
    first = bench.take()
    assert ids(first) == [1, 3, 4]
    bench.end(first[0])
    assert ids(bench.take()) == [2]
    bench.end(first[1])
    assert ids(bench.take()) == [5]


def test_rows_straight_from_memory_cost_no_read(bench: Bench) -> None:
    bench.arrive("abcab")
    assert len(bench.drain()) == 5
    assert bench.table.reads == 0


def test_a_row_that_is_offered_twice_is_sent_once(bench: Bench) -> None:
    due = bench.arrive("a")[0]
    bench.window.offer(due)
    assert ids(bench.drain()) == [1]
    bench.window.offer(due)
    assert bench.drain() == []


def test_a_key_that_waits_is_passed_over_and_goes_on_from_the_database(bench: Bench) -> None:
    bench.arrive("aab")
    first, other = bench.take()
    bench.fail(first, 5.0)
    bench.arrive("aba")
    bench.end(other)
    assert ids(bench.drain()) == [5]
    assert bench.window.soonest(bench.now) == bench.now + 5.0
    bench.now += 5.0
    assert ids(bench.drain()) == [1, 2, 4, 6]


def test_a_failed_row_comes_back_as_the_database_has_it(bench: Bench) -> None:
    due = bench.arrive("a")[0]
    bench.take()
    bench.fail(due, 5.0)
    bench.now += 5.0
    again = bench.next()
    assert again is not None
    assert again.due_ms == NOW_MS + 105_000


def test_a_row_is_not_tried_again_before_its_last_result_is_committed(bench: Bench) -> None:
    due = bench.arrive("a")[0]
    bench.take()
    bench.fail(due, 5.0, settle=False)
    bench.now += 6.0
    assert bench.next() is None
    soonest = bench.window.soonest(bench.now)
    assert soonest is not None
    assert soonest > bench.now
    bench.window.settle(due.id)
    bench.now = soonest
    assert bench.next() == due


def test_a_row_that_was_ended_while_it_waited_gives_way_to_the_next_of_its_key(
    bench: Bench,
) -> None:
    bench.arrive("aa")
    first = bench.take()[0]
    bench.fail(first, 5.0)
    bench.table.end(first.id)
    bench.now += 5.0
    assert ids(bench.drain()) == [2]
    assert not bench.window.more()


def test_two_waiting_keys_come_back_in_the_order_of_their_times(bench: Bench) -> None:
    one, two = bench.arrive("ab")
    bench.take()
    bench.fail(one, 9.0)
    bench.fail(two, 4.0)
    assert bench.window.soonest(bench.now) == bench.now + 4.0
    bench.now += 10.0
    assert ids(bench.take()) == [2, 1]


def test_in_strict_order_one_row_at_a_time_is_in_hand(strict: Bench) -> None:
    strict.arrive("abc")
    assert ids(strict.take()) == [1]
    strict.end(strict.table.open[1])
    assert ids(strict.take()) == [2]


def test_in_strict_order_nothing_passes_a_row_that_waits(strict: Bench) -> None:
    strict.arrive("abc")
    first = strict.take()[0]
    strict.fail(first, 5.0)
    strict.arrive("de")
    assert strict.take() == []
    strict.now += 5.0
    assert ids(strict.drain()) == [1, 2, 3, 4, 5]


def test_in_strict_order_a_backlog_is_read_in_chunks_and_sent_whole(strict: Bench) -> None:
    strict.store("abcdefgh" * 50)
    sent = strict.drain()
    assert ids(sent) == list(range(1, 401))
    # A chunk may hold no more than one head and its followers, or the rest would be passed over.
    assert CHUNK <= FOLLOWERS_MAX + 1


def test_a_stored_due_time_is_kept_at_the_start(bench: Bench) -> None:
    bench.table.add("a", due_ms=bench.now_ms + 7_000)
    bench.window.offer(bench.table.add("b"))
    bench.window.ask_reset(forgive=False)
    assert ids(bench.take()) == [2]
    assert bench.window.soonest(bench.now) == pytest.approx(bench.now + 7.0)


def test_a_due_time_from_a_clock_that_jumped_is_pulled_in(bench: Bench) -> None:
    bench.table.add("a", due_ms=bench.now_ms + 86_400_000)
    bench.window.offer(bench.table.add("b"))
    bench.window.ask_reset(forgive=False)
    bench.take()
    assert bench.window.soonest(bench.now) == bench.now + DUE_AHEAD_MAX


def test_rows_beyond_the_fresh_bound_are_read_from_the_database(bench: Bench) -> None:
    bench.arrive("abcdefghij" * 200)
    assert len(bench.window._walk._fresh) == FRESH_MAX
    sent = bench.drain()
    assert sorted(ids(sent)) == list(range(1, 2_001))
    assert bench.table.reads > 0


def test_a_lane_that_has_caught_up_is_fed_from_memory_again(bench: Bench) -> None:
    bench.store("ab" * 200)
    assert len(bench.drain()) == 400
    reads = bench.table.reads
    bench.arrive("ab")
    assert ids(bench.drain()) == [401, 402]
    assert bench.table.reads == reads


def test_rows_that_arrive_during_a_catching_up_are_neither_lost_nor_doubled(bench: Bench) -> None:
    bench.store("abc" * 100)
    sent: list[int] = []
    while (due := bench.next()) is not None:
        sent.append(due.id)
        if len(sent) <= 400:
            bench.arrive("c")
        bench.end(due)
    assert sorted(sent) == list(range(1, 701))


def test_the_rows_in_hand_are_bounded_whatever_waits(bench: Bench) -> None:
    bench.store("a" * 3_000 + "b" * 3_000)
    taken = bench.take()
    assert ids(taken) == [1, 3_001]
    assert bench.window.keys.followers <= HELD_MAX + CHUNK
    assert all(len(key.followers) <= FOLLOWERS_MAX for key in bench.window.keys.states.values())


def test_the_waiting_keys_in_memory_are_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "WAITING_KEYS_MAX", 10)
    bench.arrive("abcdefghijklmnopqrstuvwxyz")
    handed = 0
    while (due := bench.next()) is not None:
        handed += 1
        bench.fail(due, 5.0)
    assert handed == 10
    bench.now += 5.0
    assert len(bench.drain()) == 26


def test_ten_thousand_rows_of_a_failing_key_slow_no_other_key(bench: Bench) -> None:
    bench.store("a" * 10_000)
    head = bench.next()
    assert head is not None
    bench.fail(head, 3600.0)
    passed = bench.arrive("bcbc")
    reads = bench.table.reads
    assert ids(bench.drain()) == ids(passed)
    assert bench.table.reads - reads <= 10_000 / CHUNK + 2
    reads = bench.table.reads
    assert len(bench.arrive("d")) == len(bench.drain()) == 1
    assert bench.table.reads == reads


def test_a_long_key_goes_on_in_order_after_it_waited(bench: Bench) -> None:
    bench.store(("a" * 5 + "b") * 100)
    head = bench.next()
    assert head is not None
    bench.fail(head, 5.0)
    bench.drain()
    bench.now += 5.0
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    for due in bench.drain():
        by_key[due.order_key].append(due.id)
    assert len(by_key["a"]) == 500
    assert by_key["a"] == sorted(by_key["a"])
