"""Of two sockets side by side no event is lost, and twice is only what no one could know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.listener.alignment.two_sockets import FIRST, SECOND, Server, history_needs
from webhookproxy.listener.alignment.pairing import TEXTS_MAX, Pairing, Verdict

# What happens to the server or to one of its sockets; events are frequent, and so are repeats.
EMIT = [("emit", text) for text in "aaaabcdef"]
MOVES = [("read", "1"), ("read", "2"), ("read", "6"), ("ping", ""), ("ping", "")]
ENDS = [("open", ""), ("join", ""), ("end", "")]
STEPS = st.lists(
    st.tuples(st.sampled_from([FIRST, SECOND]), st.sampled_from(EMIT * 2 + MOVES * 2 + ENDS)),
    max_size=120,
)


def play(server: Server, steps: list[tuple[str, tuple[str, str]]], *, one_order: bool) -> None:
    """Play the steps; where the order differs, one socket brings an event before the last one."""
    for name, (kind, what) in steps:
        if kind == "emit":
            server.emit(what, swapped=None if one_order else name)
        elif kind == "read":
            server.read(name, int(what))
        else:
            getattr(server, kind)(name)


@given(STEPS, st.booleans(), st.sampled_from([(FIRST, SECOND), (SECOND, FIRST)]), st.booleans())
def test_nothing_is_lost_and_what_is_doubled_was_in_doubt(
    steps: list[tuple[str, tuple[str, str]]],
    one_order: bool,
    ending: tuple[str, str],
    cut: bool,
) -> None:
    server = Server()
    server.begin()
    play(server, steps, one_order=one_order)
    for name in ending:
        if not cut:
            server.read(name)
        server.end(name)
    assert server.lost() == {}
    assert server.doubled_without_doubt() == {}
    assert (server.pairing.unpaired, server.pairing.replayed) == (0, 0)
    assert server.pairing.order.displacement == 0 or not one_order


@given(STEPS, st.booleans())
def test_what_is_stored_in_doubt_is_needed_by_a_history_that_fits(
    steps: list[tuple[str, tuple[str, str]]], one_order: bool
) -> None:
    server = Server()
    server.begin()
    quiet = [step for step in steps if step[1][0] not in ("open", "join", "end")]
    play(server, quiet, one_order=one_order)
    needed = history_needs(server.log)
    server.end(FIRST)
    assert {text: count for text, count in server.stored.items() if count} == needed


def test_after_two_pings_on_the_older_socket_nothing_is_in_doubt() -> None:
    server = Server()
    server.begin()
    for text in ("a", "b", "a", "c"):
        server.emit(text)
    server.read(SECOND)
    for _ in range(2):
        server.ping(FIRST)
        server.read(FIRST)
    server.emit("a")
    server.read(SECOND)
    server.end(FIRST)
    assert server.stored == {"a": 3, "b": 1, "c": 1}
    assert not +server.in_doubt


def test_a_repeat_around_the_join_is_stored_in_doubt_when_the_older_socket_ends() -> None:
    # A set of texts seen would lose the second one.
    pairing = Pairing()
    pairing.open("older")
    pairing.join("older")
    pairing.open("younger")
    assert pairing.feed("older", "idle") is Verdict.STORE
    pairing.join("younger")
    assert pairing.feed("younger", "idle") is Verdict.HOLD
    assert pairing.end("older") == ["idle"]
    # It may be the copy that was under way.
    assert pairing.feed("younger", "idle") is Verdict.STORE_IN_DOUBT
    pairing.ping("younger")
    pairing.ping("younger")
    assert pairing.feed("younger", "idle") is Verdict.STORE


def test_what_a_younger_socket_held_is_stored_if_the_older_one_ends_without_bringing_it() -> None:
    pairing = Pairing()
    pairing.open("older")
    pairing.join("older")
    pairing.open("younger")
    pairing.join("younger")
    assert pairing.feed("older", "idle") is Verdict.STORE
    assert pairing.feed("younger", "idle") is Verdict.HOLD
    assert pairing.end("younger") == []
    # The older one had a second event under way when it ended.
    assert pairing.end("older") == ["idle"]


@pytest.mark.parametrize(
    ("only", "unpaired", "replayed"), [(SECOND, 2, 0), (FIRST, 2, 0), ("state", 0, 2)]
)
def test_what_only_one_socket_brings_is_counted(only: str, unpaired: int, replayed: int) -> None:
    server = Server()
    server.begin()
    if only != "state":
        server.ping_both(3)
    for text in ("p", "q"):
        server.emit(text, only=SECOND if only == "state" else only)
        server.emit("both")
        server.read(FIRST)
        server.read(SECOND)
    server.ping_both(3)
    counts = server.pairing
    assert (counts.unpaired, counts.replayed, counts.paired) == (unpaired, replayed, 2)


def test_the_largest_displacement_of_another_order_is_seen() -> None:
    server = Server()
    server.begin()
    server.ping_both(3)
    for name, order in ((FIRST, "xabcdefy"), (SECOND, "xbcdefay")):
        for text in order:
            server.pairing.feed(name, text)
    assert server.pairing.order.displacement == 5
    assert server.pairing.paired == 8


def test_a_socket_that_lags_far_behind_is_too_much() -> None:
    pairing = Pairing()
    for socket in ("older", "younger"):
        pairing.open(socket)
        pairing.join(socket)
    for number in range(TEXTS_MAX + 1):
        assert not pairing.is_full
        pairing.feed("older", number)
    assert pairing.is_full
    assert pairing.end("younger") == []


def test_a_second_socket_needs_one_that_joined() -> None:
    pairing = Pairing()
    pairing.open("older")
    with pytest.raises(ValueError, match="joined"):
        pairing.open("younger")
