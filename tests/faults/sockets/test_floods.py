"""Floods of events, slow stores, and repeated events."""

from __future__ import annotations

import time
from pathlib import Path

import gevent
import psutil
import pytest
from flask import Flask

from tests.listener.listening import Listening, listening
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.locks import held
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database import connections
from webhookproxy.listener import buffer, intake


@pytest.mark.usefixtures("impatient")
def test_f20_f21_while_the_store_is_blocked_the_socket_is_not_read_and_nothing_is_lost(
    simulator: SimulatorProcess,
    ears: Listening,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buffer, "BUFFER_EVENTS", 40)
    monkeypatch.setattr(intake, "GROUP_EVENTS", 10)
    token = "blocked-token-0001"
    ears.connected(token)
    with held(ears.app.config["SQLALCHEMY_DATABASE_URI"]):
        for number in range(200):
            simulator.control("emit", token=token, event="x", args=[number])
        wait_until(lambda: ears.intake.waiting >= 40, 20, "the buffer is full")
        gevent.idle()
        # Plus the group in the writer and one packet that was being read.
        assert ears.intake.waiting <= 52
        assert store_of(ears.app).failing_since is not None
    ears.wait_for_events(200)
    assert numbers(ears) == [str(number) for number in range(200)]
    # The rows can be read a moment before the intake hears of their commit.
    wait_until(lambda: ears.intake.waiting == 0, 20, "nothing waits")
    assert store_of(ears.app).failing_since is None
    assert simulator.state(token)["handshakes"] == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times after which a locked database is noticed and tried again."""
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.05)


def numbers(ears: Listening) -> list[str]:
    return [event.payload for event in ears.events()]


def test_f19_a_flood_is_stored_whole_and_in_order(app: Flask, simulator: SimulatorProcess) -> None:
    token = "flooding-token-0001"
    with listening(app, simulator) as half:
        half.connected(token)
        simulator.control("burst", token=token, count=20_000)
        wait_until(lambda: rows(app, "SELECT COUNT(*) AS n FROM events")[0].n == 20_000, 30)
        order = rows(app, "SELECT json_extract(payload, '$.seq') AS seq FROM events ORDER BY id")
    assert [row.seq for row in order] == list(range(1, 20_001))


def test_f22_the_same_event_sent_twice_is_stored_and_due_twice_with_ids_of_its_own(
    ears: Listening, token: str
) -> None:
    company = ears.connected(token)
    make_webhook(ears.app, company, "http://127.0.0.1:4001/")
    ears.notice()
    for _ in range(2):
        ears.simulator.control("raw", token=token, packet='42["same",{"id":1}]')
    first, second = ears.wait_for_events(2)
    assert first.payload == second.payload
    assert first.public_id != second.public_id
    wait_until(lambda: len(ears.dues) == 2, 20, "both are due")
    assert [due.facts.public_id for due in ears.dues] == [first.public_id, second.public_id]


# The events of half a minute at the rated load, as fast as the sockets take them.
FLOOD = 60_000
# A slow machine takes a part within the time that the simulator has for an answer.
PART = 10_000


def flood(simulator: SimulatorProcess, token: str) -> None:
    for _ in range(FLOOD // PART):
        simulator.control("burst", token=token, count=PART)


def count(app: Flask) -> int:
    return int(rows(app, "SELECT COUNT(*) FROM events")[0][0])


def memory(server: ServerProcess) -> int:
    """Return the resident bytes of a server's processes."""
    own = psutil.Process(server._running().pid)
    return sum(each.memory_info().rss for each in [own, *own.children(recursive=True)])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_f19_a_flood_into_a_server_costs_bounded_memory_and_it_answers(
    app: Flask, tmp_path: Path, simulator: SimulatorProcess, token: str
) -> None:
    company = make_company(app, simulator.url, token, connected=True)
    with Receiver() as receiver:
        make_webhook(app, company, receiver.url(), events=("agent-is-idle",))
        url = app.config["SQLALCHEMY_DATABASE_URI"]
        with ServerProcess(url, tmp_path) as server:
            server.wait_for_sockets(1)
            before, most = memory(server), 0
            answers: list[float] = []
            began = time.monotonic()
            flooding = gevent.spawn(flood, simulator, token)
            while not flooding.ready():
                asked = time.monotonic()
                assert server.health()["status"] == 200
                answers.append(time.monotonic() - asked)
                most = max(most, memory(server) - before)
                gevent.sleep(0.2)
            flooding.get()
            wait_until(lambda: count(app) == FLOOD, 60, "all is stored")
            whole = time.monotonic() - began
            assert simulator.state(token)["handshakes"] == 1
    order = rows(app, "SELECT json_extract(payload, '$.seq') AS seq FROM events ORDER BY id")
    assert [row.seq for row in order] == list(range(1, PART + 1)) * (FLOOD // PART)
    answers.sort()
    usual, slowest = answers[len(answers) * 9 // 10], answers[-1]
    print(  # noqa: T201
        f"{most / 1e6:.0f} MB more, {len(answers)} answers: 9 of 10 within {usual:.2f} s,"
        f" the slowest {slowest:.2f} s of {whole:.1f}"
    )
    assert most < 200e6
    # A loop held by the flood answers at its end. Other processes of a busy machine may delay one
    # answer, but not each; and they delay the flood too.
    assert usual < whole / 10
    assert slowest < whole / 2
