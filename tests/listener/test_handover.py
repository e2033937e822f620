"""Two stretches of one stream are joined: none is lost, and twice only where no one could know.

And a hole that opens while no process writes is recorded afterwards.
"""

from __future__ import annotations

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.listener.listening import listening
from tests.support.application import store_of, wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.listener.handover.align import Join, is_known, join

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


def test_a_socket_that_is_lost_after_the_owner_was_told_of_it_leaves_a_gap(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    with listening(app, simulator) as owner:
        company = owner.connected(token)
        with listening(app, simulator, owns=False) as next_one:
            relay = next_one.relay
            relay.open_ahead()
            wait_until(lambda: relay.registry.connected(), 20, "the next one has a socket")
            relay.registry.stand()
            owner.end()
            # Its own gap, which a successor in peace does not leave.
            store_of(app).run(
                lambda connection: connection.execute(text("DELETE FROM gaps")) and None
            )
            first = relay.registry.connected()[company]
            simulator.control("drop", token=token)
            wait_until(
                lambda: relay.registry.connected().get(company, first) != first, 20, "another"
            )
            next_one.begin(handed=[company])
            next_one.wait_for_state(company, "connected")
            wait_until(lambda: next_one.gaps(company) == [("dropped", True)], 20, "its gap")


def test_a_token_that_no_key_opens_costs_no_other_company_its_socket(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    with listening(app, simulator) as owner:
        broken, company = owner.connected(token), owner.connected(f"{token}-of-another")
        unreadable = text("UPDATE companies SET token = 'no key opens this' WHERE id = :id")
        store_of(app).run(
            lambda connection: connection.execute(unreadable, {"id": broken}) and None
        )
        with listening(app, simulator, owns=False) as next_one:
            next_one.relay.open_ahead()
            wait_until(lambda: next_one.registry.connected(), 20, "the other one has a socket")
            assert set(next_one.registry.connected()) == {company}
