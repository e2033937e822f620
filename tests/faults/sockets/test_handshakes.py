"""A server that does not open the connection: each way says why, is retried, and leaks nothing."""

from __future__ import annotations

import logging
import socket
from typing import NoReturn

import pytest

from tests.listener.listening import Listening
from tests.support.application import wait_until
from tests.support.receiver import Answer, Behaviour, Plain, Received, Receiver, hang, raw, reset
from tests.support.socket_server import CONNECT, OPEN, websocket
from webhookproxy.listener import client, connection
from webhookproxy.network.dial import Resolver

TOKEN = "canary-token-0123456789"

BROKEN: dict[str, tuple[Answer, str]] = {
    "an HTTP error": ((500, {}, b"<html>"), "handshake_failed"),
    "a page": ((200, {}, b"<html>"), "handshake_failed"),
    "garbage": (lambda _: raw(b"\x00\xff garbage\r\n\r\n"), "handshake_failed"),
    "a reset": (lambda _: reset(), "handshake_failed"),
    "silence": (lambda _: hang(), "handshake_timeout"),
    "an OPEN that is cut off": (websocket('0{"sid":'), "handshake_failed"),
    "an OPEN without fields": (websocket("0{}"), "handshake_failed"),
    "no answer to CONNECT": (websocket(OPEN), "handshake_timeout"),
    "a CONNECT_ERROR": (websocket(OPEN, '44{"message":"Authentication error"}'), "refused"),
}


@pytest.mark.parametrize(("answer", "reason"), BROKEN.values(), ids=list(BROKEN))
def test_f13_f14_a_handshake_that_fails_says_why_and_is_tried_again(
    ears: Listening,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    if reason == "handshake_timeout":
        monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)
    monkeypatch.setattr(connection, "REFUSED_FIRST", 0.02)
    with Receiver(answer) as server:
        company = ears.company(TOKEN, socket_url=server.url(""))
        wait_until(lambda: len(server.requests) >= 2, 20, "it is tried again")
        # Between two attempts; "connecting" is only before the first one ended.
        wait_until(lambda: ears.connection(company).reason == reason, 20, reason)
        assert ears.gaps(company) == [(reason, False)]
        # Nothing of this is left after the server recovered.
        ears.edit(company, socket_url=ears.simulator.url)
        ears.wait_for_state(company, "connected")
        assert ears.gaps(company) == [(reason, True)]
    assert TOKEN not in caplog.text


AFTER = '42["after",{"seq":1}]'
# Possible answers of a server that is starting again.
WHILE_RECONNECTING: list[Answer] = [
    websocket(OPEN, CONNECT, '42["before",{"seq":0}]', then=raw),
    (500, {}, b"<html>"),
    lambda _: raw(b"\x00\xff garbage\r\n\r\n"),
    websocket('0{"sid":', then=raw),
    websocket("0{}", then=raw),
    websocket(OPEN, '44{"message":"Authentication error"}'),
    websocket(OPEN, CONNECT, "41"),
    websocket(OPEN, CONNECT, "1"),
    websocket(OPEN, CONNECT, AFTER),
]


def test_f13_f14_whatever_comes_while_reconnecting_the_socket_comes_back(
    ears: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(connection, "BACKOFF_MAX", 0.02)
    monkeypatch.setattr(connection, "REFUSED_FIRST", 0.02)

    def answer(request: Received) -> Behaviour | Plain:
        step = WHILE_RECONNECTING[min(request.number, len(WHILE_RECONNECTING)) - 1]
        return step if isinstance(step, tuple) else step(request)

    with Receiver(answer) as server:
        company = ears.company(TOKEN, socket_url=server.url(""))
        found = ears.wait_for_events(2)
        assert [event.name for event in found] == ["before", "after"]
        ears.wait_for_state(company, "connected")
        assert len(server.requests) == len(WHILE_RECONNECTING)
        # One gap until the first socket that was accepted again, and one more for
        # each of the two that were accepted and ended.
        assert ears.gaps(company) == [("dropped", True), ("kicked", True), ("kicked", True)]


def test_f13_a_server_that_hangs_up_before_it_reads_is_a_failed_handshake(
    ears: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(sock: socket.socket) -> None:
        sock.close()

    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)
    with Receiver(greeting=hang_up) as server:
        company = ears.company(TOKEN, socket_url=server.url(""))
        wait_until(lambda: server.connections >= 2, 20, "it is tried again")
        wait_until(lambda: ears.connection(company).reason == "handshake_failed")


def test_f12_a_name_of_a_socket_that_does_not_resolve_says_so(ears: Listening) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    ears.registry.handshakes.resolver = Resolver(unknown)
    company = ears.company(TOKEN, socket_url="http://no-such-host.example:4000")
    row = ears.wait_for_state(company, "reconnecting")
    assert row.reason == "name_not_resolved"
