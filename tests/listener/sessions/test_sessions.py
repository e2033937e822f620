"""A server with connection state recovery sends again what a lost socket missed: all, once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from flask import Flask

from tests.listener.listening import Listening, listening
from tests.support.application import rows, wait_until
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.sockets import execute
from webhookproxy.listener import sessions
from webhookproxy.models.types import keyring


def payloads(count: int, first: int = 0) -> Iterator[str]:
    """Payloads of which each tenth is the same text, byte for byte."""
    for number in range(first, first + count):
        yield '{"agent":7}' if number % 10 == 0 else f'{{"number":{number}}}'


def emit(half: Listening, token: str, texts: Iterable[str]) -> None:
    for each in texts:
        half.simulator.control("emit", token=token, event="x", args=[json.loads(each)])


def stored(half: Listening) -> list[str]:
    return [event.payload for event in half.events()]


def recovered(half: Listening, company: int) -> list[bool]:
    """Whether each gap that is over was recovered by the server."""
    query = "SELECT recovered FROM gaps WHERE company_id = :id AND ended_at > 0 ORDER BY id"
    return [bool(row.recovered) for row in rows(half.app, query, id=company)]


def lose(half: Listening, company: int, token: str, missed: Iterable[str]) -> None:
    """End the company's socket, emit what it misses, and wait for the next one."""
    before = len(recovered(half, company))
    half.registry.handshakes.allow(False)
    half.simulator.control("drop", token=token)
    half.simulator.wait_for_sockets(token, 0)
    emit(half, token, missed)
    half.registry.handshakes.allow(True)
    wait_until(lambda: len(recovered(half, company)) > before, 60, "the gap is over")


def test_what_a_lost_socket_missed_comes_once_and_the_gap_stays_on_record(
    half: Listening, token: str
) -> None:
    half.simulator.control("recovery", token=token)
    company = half.connected(token)
    emit(half, token, payloads(10))
    half.wait_for_events(10)
    lose(half, company, token, payloads(10, 10))
    emit(half, token, payloads(10, 20))
    half.wait_for_events(30)
    assert stored(half) == list(payloads(30))
    assert half.gaps(company) == [("dropped", True)]
    assert recovered(half, company) == [True]
    assert {event.note for event in half.events()} == {"unwanted"}


@pytest.mark.slow
def test_events_that_are_sent_again_without_an_offset_are_told_from_those_that_were_taken(
    half: Listening, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was stored is read in several groups.
    monkeypatch.setattr(sessions, "GROUP", 7)
    half.simulator.control("recovery", token=token, offsets=False)
    company = half.connected(token)
    emit(half, token, payloads(3))
    half.wait_for_events(3)
    # Nothing with an offset comes between the two, so the second socket misses the first's too.
    lose(half, company, token, payloads(15, 3))
    half.wait_for_events(18)
    lose(half, company, token, payloads(5, 18))
    half.wait_for_events(23)
    # Another process only has what is stored.
    half.end()
    emit(half, token, payloads(7, 23))
    with listening(half.app, half.simulator) as another:
        another.wait_for_events(30)
        emit(another, token, payloads(10, 30))
        another.wait_for_events(40)
        # After an event with an offset, an equal text is another event.
        lose(another, company, token, payloads(1, 40))
        emit(another, token, payloads(1, 41))
        another.wait_for_events(42)
        lose(another, company, token, payloads(1, 50))
        another.wait_for_events(43)
        assert stored(another) == [*payloads(42), *payloads(1, 50)]
        assert half.simulator.state(token)["recovered"] == 5


def test_another_process_goes_on_from_what_was_stored_with_the_events(
    app: Flask, simulator: SimulatorProcess, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    simulator.control("recovery", token=token)
    with listening(app, simulator) as first:
        company = first.connected(token)
        emit(first, token, payloads(10))
        first.wait_for_events(10)
        row = first.connection(company)
        socket_id, pid, _ = json.loads(keyring().decrypt(row.session))
        assert socket_id == row.socket_id
    emit(first, token, payloads(10, 10))
    with listening(app, simulator) as second:
        second.wait_for_events(20)
        assert stored(second) == list(payloads(20))
        wait_until(lambda: recovered(second, company) == [True], 60, "the gap is recovered")
        assert {event.socket_id for event in second.events()} == {socket_id}
    assert pid not in row.session + caplog.text
    assert row.session_offset not in caplog.text


@pytest.mark.slow
# The second one ends before any socket can be opened again.
@pytest.mark.parametrize("seconds", [0, 1e-6])
def test_a_server_that_recovers_nothing_leaves_the_gap_as_it_was(
    half: Listening, token: str, seconds: float
) -> None:
    half.simulator.control("recovery", token=token, seconds=seconds)
    company = half.connected(token)
    emit(half, token, payloads(5))
    half.wait_for_events(5)
    lose(half, company, token, payloads(5, 5))
    emit(half, token, payloads(5, 10))
    half.wait_for_events(10)
    assert stored(half) == [*payloads(5), *payloads(5, 10)]
    assert recovered(half, company) == [False]


@pytest.mark.slow
def test_nothing_is_asked_for_after_a_disconnection_a_new_token_or_a_day(
    half: Listening, token: str
) -> None:
    simulator, other = half.simulator, f"{token}-another"
    for each in (token, other):
        simulator.control("recovery", token=each)
    company = half.connected(token)

    def emit_one(name: str) -> None:
        count = len(half.events())
        emit(half, name, ["{}"])
        half.wait_for_events(count + 1)
        assert half.connection(company).session_offset

    emit_one(token)
    # An event that is stored only after the disconnection.
    half.intake.hold()
    emit(half, token, ["{}"])
    wait_until(lambda: half.intake.waiting == 1, 60, "it waits")
    half.wish(company, connected=False)
    half.wait_for_state(company, "disconnected")
    assert half.connection(company).session is None
    half.intake.release()
    half.wait_for_events(2)
    assert half.connection(company).session is None
    half.wish(company, connected=True)
    half.wait_for_state(company, "connected")
    emit_one(token)
    half.edit(company, token=other)
    simulator.wait_for_sockets(other)
    half.edit(company, token=token)
    simulator.wait_for_sockets(token)
    half.wait_for_state(company, "connected")
    emit_one(token)
    half.end()
    day = round(timedelta(hours=25).total_seconds() * 1000)
    execute(half.app, "UPDATE connections SET last_event_at = last_event_at - :day", day=day)
    with listening(half.app, simulator) as another:
        another.wait_for_state(company, "connected")
        assert simulator.state(token)["recovered"] == simulator.state(other)["recovered"] == 0
