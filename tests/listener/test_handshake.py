"""A server that does not open the connection: each way says why, is retried, and leaks nothing."""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from collections.abc import Callable
from typing import NoReturn

import pytest

from tests.listener.listening import Listening
from tests.receiver import Answer, Behaviour, Received, Receiver, hang, raw, reset
from tests.world import wait_until
from webhookproxy.dial import Resolver
from webhookproxy.listener import client, connection

TOKEN = "canary-token-0123456789"
OPEN = '0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'


def websocket(*frames: str) -> Callable[[Received], Behaviour]:
    """A WebSocket server that sends these text frames and then nothing."""

    def answer(request: Received) -> Behaviour:
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        # RFC 6455 5.2: a final text frame of at most 125 bytes.
        texts = [frame.encode() for frame in frames]
        return hang(head + b"".join(bytes([0x81, len(text)]) + text for text in texts))

    return answer


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
def test_a_handshake_that_fails_says_why_and_is_tried_again(
    half: Listening,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)
    monkeypatch.setattr(connection, "REFUSED_FIRST", 0.02)
    with Receiver(answer) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        wait_until(lambda: len(server.requests) >= 2, 5, "it is tried again")
        # Between two attempts; "connecting" is only before the first one ended.
        assert half.connection(company).reason == reason
        assert half.gaps(company) == [(reason, False)]
        # And once the server is well again nothing of this is left.
        half.edit(company, socket_url=half.simulator.url)
        half.wait_for_state(company, "connected")
        assert half.gaps(company) == [(reason, True)]
    assert TOKEN not in caplog.text


def test_a_server_that_hangs_up_before_it_reads_is_a_failed_handshake(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(sock: socket.socket) -> None:
        sock.close()

    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.02)
    with Receiver(greeting=hang_up) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        wait_until(lambda: server.connections >= 2, 5, "it is tried again")
        assert half.connection(company).reason == "handshake_failed"


def test_a_name_that_does_not_resolve_says_so(half: Listening) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    half.registry.resolver = Resolver(unknown)
    company = half.company(TOKEN, socket_url="http://no-such-host.example:4000")
    row = half.wait_for_state(company, "reconnecting")
    assert row.reason == "name_not_resolved"
