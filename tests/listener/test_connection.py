"""The fact follows the wish: what each connection says it is, and how it comes back."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask import Flask
from gevent.event import Event

from tests.listener.listening import Listening, listening, now_ms
from tests.support.application import rows, wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database.fence import shard_of
from webhookproxy.listener import connection, handshakes
from webhookproxy.listener.client import Socket
from webhookproxy.listener.routes import Taken

HOUR_MS = 3_600_000


def test_a_wished_connection_is_made_and_says_since_when_and_why(half: Listening) -> None:
    began = now_ms()
    company = half.company("wished-token-0001")
    row = half.wait_for_state(company, "connected")
    assert row.reason == "accepted"
    assert began - 1 <= row.since <= now_ms() + 1
    assert row.socket_id
    assert half.ownership.fence is not None
    assert row.fence == half.ownership.fence.number(shard_of(company))
    assert half.gaps(company) == []
    assert half.registry.counts() == (1, 1)


def test_a_company_that_nobody_wished_connected_has_no_socket(half: Listening) -> None:
    company = half.connected("unwished-token-0001")
    half.wish(company, connected=False)
    assert half.registry.counts() == (0, 0)
    row = half.wait_for_state(company, "disconnected")
    assert (row.reason, row.socket_id) == ("not_wished", None)
    assert half.gaps(company) == []


def test_disconnecting_closes_the_socket_at_the_server(half: Listening) -> None:
    company = half.connected("closing-token-0001")
    half.wish(company, connected=False)
    # A socket that was only left alone would be closed after its ping, in 45 s.
    half.simulator.wait_for_sockets("closing-token-0001", 0)


def test_deleting_a_company_closes_its_socket(half: Listening) -> None:
    company = half.connected("deleted-token-0001")
    half.delete(company)
    half.simulator.wait_for_sockets("deleted-token-0001", 0)
    assert half.registry.counts() == (0, 0)


def test_a_refused_token_says_so_and_leaves_the_others_alone(half: Listening) -> None:
    # The simulator refuses tokens of fewer than eight characters.
    began = now_ms()
    refused = half.company("short")
    other = half.connected("accepted-token-0001")
    row = half.wait_for_state(refused, "token_refused")
    assert row.reason == "refused"
    # Slowly: between one minute and two for the first time.
    assert began + 59_000 < row.next_attempt_at < now_ms() + 121_000
    assert half.connection(other).state == "connected"
    half.simulator.control("emit", token="accepted-token-0001", event="x", args=[1])
    half.wait_for_events(1)


def test_replacing_a_refused_token_connects_at_once(half: Listening) -> None:
    company = half.company("tiny")
    half.wait_for_state(company, "token_refused")
    half.edit(company, token="replaced-token-0001")
    half.wait_for_state(company, "connected")
    assert half.gaps(company) == [("refused", True)]


def test_changing_the_token_makes_exactly_one_new_socket(half: Listening) -> None:
    company = half.connected("old-token-00000001")
    half.edit(company, token="new-token-00000001")
    half.wait_for_state(company, "connected")
    half.simulator.wait_for_sockets("old-token-00000001", 0)
    state = half.simulator.state("new-token-00000001")
    assert (state["sockets"], state["handshakes"]) == (1, 1)
    half.simulator.control("emit", token="new-token-00000001", event="x", args=[1])
    assert [event.token_mask for event in half.wait_for_events(1)] == ["new-…0001"]


def test_changing_the_name_or_hiding_credentials_keeps_the_socket(half: Listening) -> None:
    token = "steady-token-0001"
    company = half.connected(token)
    half.edit(company, name="Outra", hide_credentials=False)
    half.simulator.control("emit", token=token, event="x", args=[{"api_token": "shown"}])
    assert half.wait_for_events(1)[0].payload == '{"api_token":"shown"}'
    assert half.simulator.state(token)["handshakes"] == 1


def test_a_server_that_is_not_there_is_tried_again_with_growing_pauses(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)
    pauses: set[int] = set()

    def grown() -> bool:
        row = half.connection(company)
        pauses.add(row.next_attempt_at - row.since)
        return max(pauses) > 100

    with socket.socket() as bound:
        # Bound and not listening: connections to it are refused.
        bound.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{bound.getsockname()[1]}"
        company = half.company("nowhere-token-0001", socket_url=nowhere)
        row = half.wait_for_state(company, "reconnecting")
        assert row.reason == "connection_failed"
        wait_until(grown, 20, "the pauses grow")
    assert half.gaps(company) == [("connection_failed", False)]


def test_no_more_handshakes_than_the_gate_admits_run_at_a_time(
    app: Flask, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKES_MAX", 2)
    monkeypatch.setattr(handshakes, "TURN_SECONDS", 30.0)
    open_socket = Socket.open
    running: list[int] = []
    most = 0
    all_wish = Event()

    def counted(socket: Socket, *arguments: Any) -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        all_wish.wait(20)
        try:
            open_socket(socket, *arguments)
        finally:
            running.pop()

    monkeypatch.setattr(Socket, "open", counted)
    with listening(app, simulator) as half:
        for number in range(6):
            half.company(f"gated-token-{number:04}")
        all_wish.set()
        wait_until(lambda: half.registry.counts() == (6, 6), 20, "all are connected")
    assert most == 2


def test_stopping_leaves_a_gap_for_the_next_owner_to_close(
    app: Flask, simulator: SimulatorProcess
) -> None:
    with listening(app, simulator) as half:
        company = half.connected("handed-over-token")
    assert half.connection(company).state == "reconnecting"
    assert half.gaps(company) == [("owner_gone", False)]
    half.simulator.wait_for_sockets("handed-over-token", 0)
    with listening(app, simulator) as half:
        half.notice()
        half.wait_for_state(company, "connected")
        assert half.gaps(company) == [("owner_gone", True)]


def test_a_gap_begins_at_the_last_heartbeat_of_an_owner_that_died(half: Listening) -> None:
    company = half.connected("inherited-token-0001")
    half.ownership.beat()
    assert half.ownership.fence is not None
    half.status.start(half.ownership.fence)
    gap = half.app.extensions["store"].session(
        lambda session: tuple(
            session.connection()
            .exec_driver_sql(
                "SELECT g.reason, g.note, g.started_at - l.heartbeat_at FROM gaps g"
                " JOIN leases l ON l.shard = g.company_id % 64"
            )
            .one()
        )
    )
    assert gap == ("owner_gone", "owner_died", 0)
    assert half.gaps(company) == [("owner_gone", False)]


def test_a_supervisor_that_meets_a_bug_goes_on(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(connection.Supervisor, "_connect_once", broken)
        company = half.company("buggy-token-0001")
        half.wait_for_state(company, "reconnecting")
    half.wait_for_state(company, "connected")


def test_the_gap_of_a_lost_share_begins_at_the_first_event_that_is_not_stored(
    half: Listening,
) -> None:
    company = half.connected("lost-token-00001")
    first = round(now_ms()) - HOUR_MS
    # Nothing of what waits is committed.
    half.intake.hold()
    for at in (first, first + 1):
        half.intake.take(Taken(company, "…", True, "", "[]", at))
    half.registry.ask_stop()
    assert half.status.drain(20)
    (gap,) = rows(half.app, "SELECT started_at FROM gaps WHERE company_id = :id", id=company)
    assert abs(gap.started_at - first) < HOUR_MS / 2
