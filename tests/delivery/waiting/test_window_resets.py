"""What a window forgets and reads again: after a circuit, a probe or new settings."""

from __future__ import annotations

import pytest

from tests.delivery.waiting.window_rows import Bench, ids


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def strict() -> Bench:
    return Bench(strict=True)


def test_a_reset_reads_what_was_ready_again_and_leaves_out_what_is_being_sent(
    bench: Bench,
) -> None:
    bench.arrive("aabb")
    sending = bench.next()
    assert sending is not None
    bench.window.ask_reset(forgive=False)
    assert ids(bench.take()) == [3]
    bench.end(sending)
    assert ids(bench.take()) == [2]


def test_a_reset_waits_for_the_last_result(bench: Bench) -> None:
    bench.arrive("ab")
    due = bench.next()
    assert due is not None
    bench.end(due, settle=False)
    bench.window.ask_reset(forgive=False)
    assert bench.window.resetting
    assert bench.take() == []
    bench.commit_end(due)
    assert not bench.window.resetting
    assert ids(bench.drain()) == [2]


def test_a_row_whose_result_is_not_committed_is_not_read_again(bench: Bench) -> None:
    bench.arrive("aa")
    due = bench.next()
    assert due is not None
    bench.window.ask_reset(forgive=False)
    bench.end(due, settle=False)
    assert bench.window.in_hand.busy(due.id)
    assert ids(bench.take()) == [2]
    bench.commit_end(due)
    assert not bench.window.in_hand.busy(due.id)


def test_a_forgiving_reset_makes_waiting_rows_due_at_once(bench: Bench) -> None:
    due = bench.arrive("aa")[0]
    bench.take()
    bench.fail(due, 3600.0)
    bench.window.ask_reset(forgive=False)
    assert bench.take() == []
    assert bench.window.soonest(bench.now) == pytest.approx(bench.now + 3600.0)
    bench.window.ask_reset(forgive=True)
    assert ids(bench.drain()) == [1, 2]


def test_a_forgiving_reset_is_not_undone_by_another_asked_meanwhile(bench: Bench) -> None:
    one, two = bench.arrive("ab")
    bench.take()
    bench.fail(one, 3600.0)
    bench.end(two, settle=False)
    bench.window.ask_reset(forgive=True)
    bench.window.ask_reset(forgive=False)
    bench.commit_end(two)
    assert ids(bench.drain()) == [1]


def test_rows_that_fail_after_a_reset_wait_as_ever(bench: Bench) -> None:
    due = bench.arrive("ab")[0]
    bench.next()
    bench.window.ask_reset(forgive=True)
    bench.fail(due, 5.0)
    assert ids(bench.drain()) == [2]
    assert bench.window.soonest(bench.now) == bench.now + 5.0


def test_strictness_changes_when_nothing_is_being_sent_any_more(bench: Bench) -> None:
    bench.arrive("abcd")
    one, two = bench.next(), bench.next()
    assert one is not None
    assert two is not None
    bench.window.ask_reset(forgive=True, strict=True)
    bench.end(one)
    assert bench.take() == []
    assert not bench.window.keys.strict
    bench.end(two)
    assert bench.window.keys.strict
    assert ids(bench.take()) == [3]


def test_strictness_changes_back_to_keys_side_by_side(strict: Bench) -> None:
    strict.arrive("aabc")
    first = strict.take()[0]
    strict.window.ask_reset(forgive=True, strict=False)
    strict.end(first)
    assert ids(strict.take()) == [2, 3, 4]


def test_a_probe_keeps_its_key_busy(bench: Bench) -> None:
    first = bench.arrive("aab")[0]
    bench.window.lend(first)
    assert bench.window.in_hand.busy(first.id)
    assert ids(bench.take()) == [3]
    bench.end(first)
    assert ids(bench.take()) == [2]


def test_a_failed_probe_makes_its_key_wait(bench: Bench) -> None:
    first = bench.arrive("ab")[0]
    bench.window.ask_reset(forgive=False)
    bench.window.lend(first)
    bench.fail(first, 5.0)
    assert ids(bench.drain()) == [2]
    bench.now += 5.0
    assert ids(bench.drain()) == [1]


def test_a_resent_row_goes_before_the_later_ones_of_its_key_that_wait() -> None:
    bench = Bench()
    one, two = bench.arrive("aa")
    assert bench.next() == one
    bench.end(one)
    assert bench.next() == two
    bench.fail(two, 100.0)
    bench.table.resend(one)
    bench.window.look_again()
    assert ids(bench.take()) == [1]
    bench.end(one)
    # Its own time has not come, whatever the one before it did.
    assert bench.next() is None
    bench.now += 101.0
    assert ids(bench.take()) == [2]


def test_what_was_in_hand_when_a_row_was_resent_does_not_keep_it_waiting_by_failing() -> None:
    for strict in (False, True):
        bench = Bench(strict=strict)
        one, two = bench.arrive("aa")
        assert bench.next() == one
        bench.end(one)
        assert bench.next() == two
        bench.table.resend(one)
        bench.window.look_again()
        assert bench.next() is None
        bench.fail(two, 100.0)
        assert ids(bench.take()) == [1]


def test_a_row_cancelled_in_hand_that_fails_lets_strict_order_go_on() -> None:
    bench = Bench(strict=True)
    one, two = bench.arrive("ab")
    assert bench.next() == one
    bench.table.end(one.id)
    bench.window.look_again()
    bench.window.hold(one, bench.now + 100.0)
    bench.window.settle(one.id)
    assert bench.next() == two


def test_only_what_was_in_hand_when_somebody_acted_makes_its_failure_read_all_again() -> None:
    bench = Bench()
    one, *_ = bench.arrive("abcd")
    assert bench.next() == one
    bench.window.look_again()
    others = bench.take()
    bench.fail(one, 100.0)
    reads = bench.table.reads
    for due in others:
        bench.fail(due, 100.0)
        assert bench.next() is None
    assert bench.table.reads == reads + 1
