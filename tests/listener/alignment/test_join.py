"""Two stretches of one stream are joined: none is lost, and twice only where no one could know."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.listener.alignment.join import Join, is_known, join

TEXTS = st.lists(st.sampled_from("aaaabcdefgh"), min_size=1, max_size=40)


def test_the_end_of_the_older_stretch_is_the_beginning_of_the_newer() -> None:
    assert join("abcde", "defg") == Join(2)
    assert join("abc", "abcd") == Join(3)
    assert join("", "ab") == Join(0)
    assert join("ab", "") == Join(0)
    assert join("ab", "cd") == Join(0)


def test_honest_repeats_are_not_taken_for_copies() -> None:
    # A set of texts seen would drop three of these.
    assert join("aba", "bacaba", least=1) == Join(2)


def test_where_texts_allow_both_it_keeps_and_says_so() -> None:
    assert join("aa", "aab", least=1) == Join(1, 1)
    assert join("aa", "aab") == Join(0, 2)


def test_without_a_least_number_a_text_that_both_have_once_decides() -> None:
    assert join("xaub", "aubd") == Join(3)
    assert join("qa", "aab") == Join(0, 1)


def test_what_the_older_had_to_bring_and_did_not_is_kept_as_doubtful() -> None:
    assert join("abc", "xyz", least=2) == Join(0, 2)


def test_a_stretch_is_known_by_a_text_that_occurs_once() -> None:
    assert is_known("aab")
    assert not is_known("aabb")
    assert not is_known("")


@given(TEXTS, st.data())
def test_whatever_was_emitted_nothing_is_lost_and_what_is_doubled_is_doubtful(
    emitted: list[str], data: st.DataObject
) -> None:
    opened = data.draw(st.integers(0, len(emitted) - 1))
    closed = data.draw(st.integers(opened + 1, len(emitted)))
    began = data.draw(st.integers(0, opened))
    overlap = closed - opened
    # The owner is told of a socket when this one has brought an event; see Successor.
    least = data.draw(st.integers(1, overlap))
    found = join(emitted[began:closed], emitted[opened:], least)
    assert found.known <= overlap
    assert overlap <= found.known + found.doubtful


@given(st.lists(st.integers(), unique=True, max_size=40), st.data())
def test_of_texts_that_never_repeat_nothing_is_in_doubt(
    emitted: list[int], data: st.DataObject
) -> None:
    opened = data.draw(st.integers(0, len(emitted)))
    closed = data.draw(st.integers(opened, len(emitted)))
    assert join(emitted[:closed], emitted[opened:]) == Join(closed - opened)
