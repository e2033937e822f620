"""A lost socket, in every way to lose it: noticed, recorded as a gap, and opened again."""

from __future__ import annotations

import signal
import socket
import time

import pytest
from flask import Flask

from tests.listener.listening import Listening, listening, now_ms
from tests.support.application import rows, wait_until
from tests.support.receiver import Behaviour, Received, Receiver
from tests.support.simulator_process import SimulatorProcess
from tests.support.socket_server import CONNECT, OPEN, websocket
from webhookproxy.listener import client, connection


@pytest.fixture
def short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection old enough for an immediate reconnection."""
    monkeypatch.setattr(connection, "LIVED_SECONDS", 0.0)


@pytest.mark.usefixtures("short_lived")
@pytest.mark.parametrize(
    ("command", "reason"), [("drop", "dropped"), ("kick", "kicked"), ("close", "kicked")]
)
def test_f13_f14_a_lost_connection_comes_back_at_once_and_leaves_a_gap(
    ears: Listening, monkeypatch: pytest.MonkeyPatch, command: str, reason: str
) -> None:
    # A connection that paused would be back too late.
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 120.0)
    monkeypatch.setattr(connection, "BACKOFF_MAX", 120.0)
    token = f"lost-by-{command}-token"
    company = ears.connected(token)
    ears.simulator.control(command, token=token)
    wait_until(lambda: ears.gaps(company) == [(reason, True)], 20, "a gap is opened and closed")
    ears.wait_for_state(company, "connected")
    ears.simulator.wait_for_sockets(token, 1)
    assert ears.simulator.state(token)["accepted"] == 2
    ears.simulator.control("emit", token=token, event="after", args=[1])
    assert [event.name for event in ears.wait_for_events(1)] == ["after"]


def test_f13_a_connection_that_died_young_is_made_again_after_a_pause(
    ears: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The state of the pause must be written before it is over.
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 2.0)
    token = "young-token-0001"
    company = ears.connected(token)
    ears.simulator.control("drop", token=token)
    row = ears.wait_for_state(company, "reconnecting")
    assert (row.reason, row.socket_id) == ("dropped", None)
    assert ears.gaps(company) == [("dropped", False)]
    assert 900 < row.next_attempt_at - row.since <= 2000
    ears.wait_for_state(company, "connected")
    assert ears.gaps(company) == [("dropped", True)]


@pytest.mark.usefixtures("short_lived")
def test_f15_a_dead_server_is_noticed_by_its_silence(app: Flask) -> None:
    with SimulatorProcess() as simulator, listening(app, simulator) as half:
        simulator.control("pings", interval=1, timeout=1)
        company = half.connected("silent-token-0001")
        simulator.control("silence", token="silent-token-0001", pings=False, seconds=60)
        wait_until(lambda: half.gaps(company) == [("silent", True)], 20, "the silence is noticed")
        half.wait_for_state(company, "connected")
        simulator.control("emit", token="silent-token-0001", event="after", args=[1])
        assert [event.name for event in half.wait_for_events(1)] == ["after"]


def test_f13_companies_dropped_at_once_do_not_come_back_at_once(
    app: Flask, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LIVED_SECONDS", 0.0)
    tokens = [f"crowd-token-{number:04}" for number in range(12)]
    waited: list[float] = []
    grown = connection._grown

    def noted(first: float, last: float, count: int) -> float:
        waited.append(grown(first, last, count))
        return waited[-1]

    monkeypatch.setattr(connection, "_grown", noted)
    with listening(app, simulator) as half:
        companies = [half.company(token) for token in tokens]
        for company in companies:
            half.wait_for_state(company, "connected")
        simulator.control("drop")

        def all_back() -> bool:
            return half.registry.counts() == (12, 12) and all(
                simulator.state(token)["accepted"] == 2 for token in tokens
            )

        wait_until(all_back, 20, "all are back")
    # The first nine reconnect at once; from the tenth on each waits for a random time.
    assert len(waited) == 3
    assert len(set(waited)) == len(waited)
    assert all(0.5 <= delay <= 1.0 for delay in waited)


@pytest.mark.usefixtures("short_lived")
def test_f13_after_a_drop_the_next_attempt_begins_within_a_tenth_of_a_second(
    ears: Listening,
) -> None:
    dropped: list[float] = []

    def drop(data: bytes) -> Behaviour:
        def behave(sock: socket.socket) -> None:
            sock.sendall(data)
            dropped.append(time.monotonic())

        return behave

    with Receiver(websocket(OPEN, CONNECT, then=drop)) as server:
        ears.company("hasty-token-0001", socket_url=server.url(""))
        requests = server.wait_for(11)
    took = [requests[number].at - dropped[number - 1] for number in range(1, 11)]
    # The best of several: the machine may be busy.
    assert min(took) < 0.1


@pytest.mark.usefixtures("short_lived")
def test_f13_a_server_that_was_restarted_is_connected_to_again(app: Flask) -> None:
    token = "restarted-token-0001"
    with SimulatorProcess() as simulator, listening(app, simulator) as half:
        company = half.connected(token)
        port = simulator.url.rpartition(":")[2]
        simulator.stop()
        half.wait_for_state(company, "reconnecting")
        with SimulatorProcess(f"--port={port}") as again:
            half.wait_for_state(company, "connected", 35)
            again.control("emit", token=token, event="after", args=[1])
            assert [event.name for event in half.wait_for_events(1)] == ["after"]
        assert half.gaps(company)[0] == ("dropped", True)


@pytest.mark.usefixtures("short_lived")
def test_f15_a_server_that_is_stopped_is_noticed_and_the_gap_begins_with_its_silence(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 1.0)
    token = "stopped-token-0001"
    with SimulatorProcess() as simulator, listening(app, simulator) as half:
        simulator.control("pings", interval=1, timeout=1)
        company = half.connected(token)
        assert simulator._process is not None
        stopped = now_ms()
        simulator._process.send_signal(signal.SIGSTOP)
        try:
            half.wait_for_state(company, "reconnecting")
            # By its silence, and not by the pings of other servers, after 45 s.
            assert now_ms() - stopped < 30_000
        finally:
            simulator._process.send_signal(signal.SIGCONT)
        half.wait_for_state(company, "connected")
        gap = rows(app, "SELECT reason, started_at FROM gaps ORDER BY id")[0]
        assert gap.reason == "silent"
        assert gap.started_at <= stopped + 1_000


def test_f15_a_server_that_promises_to_ping_once_a_year_is_not_believed(ears: Listening) -> None:
    opened = '0{"sid":"e","upgrades":[],"pingInterval":31536000000,"pingTimeout":20000}'
    with Receiver(websocket(opened, CONNECT)) as server:
        company = ears.connected("yearly-token-0001", socket_url=server.url(""))
        socket = ears.registry.supervisors[company]._socket
        assert socket is not None
        assert socket._silence_left() <= client.SILENCE_MAX


def test_f16b_a_refusal_in_the_middle_of_a_connection_ends_it(
    ears: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)

    def answer(request: Received) -> Behaviour:
        refusing = websocket(OPEN, CONNECT, '44{"message":"no more"}')
        return (refusing if request.number == 1 else websocket(OPEN, CONNECT, '42["after"]'))(
            request
        )

    with Receiver(answer) as server:
        company = ears.company("ousted-token-0001", socket_url=server.url(""))
        assert [event.name for event in ears.wait_for_events(1)] == ["after"]
        ended = [("server_refused", True)]
        # The state of the connection is written beside the events.
        wait_until(lambda: ears.gaps(company) == ended, 20, "the gap is over")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_f13_a_thousand_companies_dropped_at_once_come_back_without_hammering(
    app: Flask, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LIVED_SECONDS", 0.0)
    # A busy machine takes its time, and one that was given up would be another handshake.
    monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 600.0)
    with listening(app, simulator) as half:
        for number in range(1_000):
            half.company(f"thousand-token-{number:04}")
        wait_until(lambda: half.registry.counts() == (1_000, 1_000), 60, "all are connected")
        before = simulator.state()["tokens"]
        dropped = time.monotonic()
        simulator.control("drop")
        lost = "SELECT COUNT(*) FROM gaps WHERE reason = 'dropped'"
        wait_until(lambda: rows(app, lost)[0][0] >= 1_000, 60, "the drop is noticed")
        wait_until(lambda: half.registry.counts() == (1_000, 1_000), 60, "all are back")
        took = time.monotonic() - dropped
        handshakes = sum(each["handshakes"] for each in simulator.state()["tokens"])
        assert half.status.drain(30)
    print(f"1,000 companies were back after {took:.1f} s")  # noqa: T201
    # One handshake each, and perhaps one that was dropped before it was accepted.
    assert handshakes - sum(each["handshakes"] for each in before) <= 1_050
    waits = rows(app, "SELECT COUNT(*) FROM gaps WHERE ended_at IS NOT NULL")[0][0]
    assert waits >= 1_000
