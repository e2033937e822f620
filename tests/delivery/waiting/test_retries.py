from __future__ import annotations

from webhookproxy.delivery.waiting.retries import DUE_AHEAD_MAX, Retries
from webhookproxy.delivery.waiting.rows import Row

NOW_MS = 1_700_000_000_000
REFUSED = ("refused_status", 422)
FAILED = ("failed_status", 503)


def row(number: int, key: str, ahead: float, tries: int, answer: tuple[str, int]) -> Row:
    return Row(number, key, NOW_MS + round(ahead * 1000), tries, *answer)


def test_heads_come_back_in_the_order_of_their_times_and_once() -> None:
    retries = Retries()
    retries.wait("a", 1, 9.0, kept=False)
    retries.wait("b", 2, 5.0, kept=False)
    assert retries.soonest(0.0) == 5.0
    assert list(retries.due(4.9)) == []
    assert list(retries.due(10.0)) == [("b", 2), ("a", 1)]
    assert list(retries.due(10.0)) == []
    assert len(retries) == 0


def test_what_was_kept_is_tried_early_after_a_pardon_and_nothing_else_is() -> None:
    retries = Retries()
    retries.wait("a", 1, 3600.0, kept=True)
    retries.wait("b", 2, 3600.0, kept=False)
    assert list(retries.early()) == []
    retries.pardon()
    assert retries.soonest(7.0) == 7.0
    assert list(retries.early()) == [("a", 1)]
    assert "a" not in retries
    assert "b" in retries


def test_a_pardon_counts_for_one_try() -> None:
    retries = Retries()
    retries.wait("a", 1, 5.0, kept=True)
    retries.pardon()
    # Its own time comes first, and it fails again: that is another wait.
    assert list(retries.due(5.0)) == [("a", 1)]
    retries.wait("a", 1, 7.0, kept=False)
    retries.pardon()
    assert list(retries.early()) == []
    assert list(retries.due(7.0)) == [("a", 1)]


def test_what_is_forgiven_is_due_at_once_but_refused_rows_only_early() -> None:
    retries = Retries()
    retries.restart(forgive=True)
    assert not retries.keep("a", row(1, "a", 60, 2, FAILED), 0.0, NOW_MS)
    assert retries.keep("b", row(2, "b", 60, 2, REFUSED), 0.0, NOW_MS)
    assert list(retries.early()) == [("b", 2)]


def test_what_failed_since_is_forgiven_no_longer() -> None:
    retries = Retries()
    retries.restart(forgive=True)
    retries.failed(1)
    assert retries.keep("a", row(1, "a", 60, 2, FAILED), 0.0, NOW_MS)
    assert list(retries.early()) == []
    retries.ended(1)
    retries.restart(forgive=False)
    assert not retries.keep("a", row(1, "a", 60, 2, FAILED), 0.0, NOW_MS)


def test_a_row_that_was_kept_by_the_last_owner_is_pardoned_too() -> None:
    retries = Retries()
    assert retries.keep("a", row(1, "a", 60, 3, REFUSED), 0.0, NOW_MS)
    assert retries.keep("b", row(2, "b", 60, 2, REFUSED), 0.0, NOW_MS)
    assert retries.keep("c", row(3, "c", 60, 9, FAILED), 0.0, NOW_MS)
    retries.pardon()
    assert list(retries.early()) == [("a", 1)]


def test_a_time_beyond_every_schedule_is_pulled_in() -> None:
    retries = Retries()
    assert retries.keep("a", row(1, "a", 86_400, 1, FAILED), 100.0, NOW_MS)
    assert retries.soonest(100.0) == 100.0 + DUE_AHEAD_MAX
