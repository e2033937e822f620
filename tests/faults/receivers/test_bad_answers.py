"""A receiver's mistake ends one attempt, with its reason, and harms nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from requests import PreparedRequest, Response

from tests.support.receiver import OK, Behaviour, Receiver, endless, hang, raw, reset
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http import client
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DeliveryReason

HEAD_200 = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD_200 + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def way() -> Iterator[Client]:
    way = Client(Policy(allow_private=True, allow_http=False), Resolver())
    yield way
    way.close()


def request(url: str, body: bytes = b"{}") -> PreparedRequest:
    made = prepared(url)
    made.body = body
    return made


def failure(
    way: Client, behaviour: Behaviour, timeout: float = 5.0, body: bytes = b"{}"
) -> NoAnswer:
    """Return the error of one attempt at a bad receiver; the next attempt succeeds."""
    with Receiver(lambda _: behaviour) as receiver:
        with pytest.raises(NoAnswer) as caught:
            way.send(request(receiver.url(), body), timeout=timeout)
        assert len(receiver.requests) == 1
        receiver.answer = OK
        assert way.send(request(receiver.url())).status_code == 200
    assert str(receiver.port) not in caught.value.detail
    return caught.value


def answered(way: Client, behaviour: Behaviour, timeout: float = 5.0) -> Response:
    """Return the result of one attempt at a bad receiver; the connection is not used again."""
    with Receiver(lambda _: behaviour) as receiver:
        response = way.send(request(receiver.url()), timeout=timeout)
        receiver.answer = OK
        assert way.send(request(receiver.url())).status_code == 200
        assert receiver.connections == 2
    return response


@pytest.mark.parametrize(("status", "kept"), [(200, 1_024), (302, 16_384), (500, 16_384)])
@pytest.mark.parametrize("framing", [b"", b"Content-Length: 99999999\r\n"])
def test_f08_a_body_without_end_is_cut(way: Client, status: int, kept: int, framing: bytes) -> None:
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\n%s\r\n" % (status, framing)
    response = answered(way, endless(b"\x1f\x8b" * 8_192, first=head))
    assert (response.status_code, len(response.content)) == (status, kept)


def test_f08_an_endless_chunked_body_is_cut(way: Client) -> None:
    response = answered(way, endless(b"1\r\nx\r\n" * 1_000, first=CHUNKED))
    assert response.content == b"x" * 1_024


@pytest.mark.parametrize(
    "behaviour",
    [
        hang(),
        hang(b"HTTP/1.1 200 OK\r\nServer: x\r\n"),
        endless(b"x", first=b"HTTP/1.1 200 OK\r\nX: ", every=0.02),
        endless(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.02),
        endless(b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n", every=0.02),
    ],
    ids=["silence", "half a head", "header drip", "endless continue", "endless processing"],
)
def test_f06_the_deadline_is_for_the_whole_attempt(way: Client, behaviour: Behaviour) -> None:
    started = time.monotonic()
    error = failure(way, behaviour, timeout=0.25)
    assert error.reason is DeliveryReason.ANSWER_TIMEOUT
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("status", [100, 102, 103])
def test_f06_a_flood_of_interim_answers_is_cut_before_the_deadline(
    way: Client, status: int
) -> None:
    error = failure(way, endless(b"HTTP/1.1 %d X\r\n\r\n" % status * 1_000), timeout=30)
    assert error.reason is DeliveryReason.BAD_ANSWER


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (reset(), DeliveryReason.CONNECTION_LOST),
        (raw(b""), DeliveryReason.CONNECTION_LOST),
        (reset(b"HTTP/1.1 200 OK\r\nServer:"), DeliveryReason.CONNECTION_LOST),
        (raw(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), DeliveryReason.CONNECTION_LOST),
        (raw(b"HTTP/1.1 200"), DeliveryReason.CONNECTION_LOST),
        (raw(b"<html>HTTP/0.9</html>\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"\x00\xff\x16\x03garbage\n" * 50), DeliveryReason.BAD_ANSWER),
        (raw(b"SSH-2.0-OpenSSH_9\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"HTTP/2 200 OK\r\n\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"HTTP/1.1 abc OK\r\n\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"HTTP/1.1 1000 OK\r\n\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), DeliveryReason.CONNECTION_LOST),
        (raw(b"HTTP/1.1 102 Processing\r\n\r\ngarbage\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(b"HTTP/1.1 101 Switching\r\n\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(HEAD_200 + b"X: y\r\n" * 500 + b"\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(HEAD_200 + b"X: " + b"y" * 200_000 + b"\r\n\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(CHUNKED + b"zz\r\nhello\r\n"), DeliveryReason.BAD_ANSWER),
        (raw(CHUNKED + b"1" * 65_537 + b"\r\n"), DeliveryReason.BAD_ANSWER),
    ],
    ids=lambda value: value if isinstance(value, DeliveryReason) else None,
)
def test_f07_f10_an_answer_that_cannot_be_read_is_one_failed_attempt(
    way: Client, behaviour: Behaviour, reason: DeliveryReason
) -> None:
    assert failure(way, behaviour).reason is reason


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nServer: x\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n",
        b"HTTP/1.1 199 Odd\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n",
    ],
)
@pytest.mark.parametrize(
    "final",
    [
        HEAD_200 + b"Content-Length: 5\r\n\r\nhello",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        HEAD_200 + b"\r\nhello",
    ],
)
@pytest.mark.parametrize("size", [1, 20, 1_000])
def test_f07_interim_answers_before_the_final_one_are_read_past(
    way: Client, interim: bytes, final: bytes, size: int
) -> None:
    def in_pieces(sock: gevent.socket.socket) -> None:
        for place in range(0, len(interim), size):
            sock.sendall(interim[place : place + size])
        sock.sendall(final)

    response = answered(way, in_pieces)
    assert (response.status_code, response.content) == (200, b"hello")


@pytest.mark.parametrize(
    "behaviour",
    [
        hang(HEAD_200 + b"\r\nhello"),
        hang(CHUNKED + b"5\r\nhello\r\n"),
        hang(HEAD_200 + b"Content-Length: 100\r\n\r\nhello"),
        hang(HEAD_200.replace(b"200", b"500") + b"\r\nhello"),
        endless(b"x", first=HEAD_200 + b"\r\n", every=0.02),
    ],
)
def test_f06_once_the_head_has_come_the_body_is_not_waited_for_long(
    way: Client, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    monkeypatch.setattr(client, "BODY_SECONDS", 0.1)
    started = time.monotonic()
    response = answered(way, behaviour, timeout=30)
    assert response.status_code in (200, 500)
    assert response.content.strip(b"x") in (b"hello", b"")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("behaviour", "kept"),
    [
        (raw(HEAD_200 + b"Content-Length: 100\r\n\r\nshort"), b"short"),
        (reset(HEAD_200 + b"Content-Length: 100\r\n\r\nshort"), b"short"),
        (raw(CHUNKED + b"5\r\nhello\r\n"), b"hello"),
        (raw(CHUNKED + b"64\r\nhello"), b"hello"),
        (raw(HEAD_200 + b"Content-Length: abc\r\n\r\nhello"), b"hello"),
        (raw(HEAD_200 + b"Content-Length: -5\r\n\r\nhello"), b"hello"),
        (hang(HEAD_200 + b"Content-Length: 100\r\n\r\nhello"), b"hello"),
        (endless(b"x", first=HEAD_200 + b"\r\n", every=0.03), None),
        (endless(b"1\r\nx\r\n", first=CHUNKED, every=0.03), None),
    ],
)
def test_f07_a_body_that_is_cut_short_leaves_the_status_to_decide(
    way: Client, behaviour: Behaviour, kept: bytes | None
) -> None:
    started = time.monotonic()
    response = answered(way, behaviour, timeout=1.0)
    assert response.status_code == 200
    assert response.content == kept or kept is None
    assert time.monotonic() - started < 20


def test_f07_a_status_that_nobody_knows_is_an_answer(way: Client) -> None:
    assert answered(way, raw(b"HTTP/1.1 999 Odd\r\nConnection: close\r\n\r\n")).status_code == 999


def test_f07_an_answer_before_the_body_was_taken_is_read(way: Client) -> None:
    def too_large(sock: gevent.socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        sock.shutdown(1)
        # Wait for the client to leave: closing with unread bytes would reset the connection.
        while sock.recv(65_536):
            pass

    with Receiver(greeting=too_large) as receiver:
        response = way.send(request(receiver.url(), b"x" * 1_000_000), timeout=5)
    assert response.status_code == 413


def test_f07_a_thousand_failures_leave_no_descriptor_open(way: Client) -> None:
    behaviours: list[Callable[[], Behaviour]] = [reset, lambda: raw(b"garbage\n")]
    with Receiver(lambda got: behaviours[got.number % 2]()) as receiver:
        made = request(receiver.url())
        for _ in range(10):
            _attempt(way, made)
        before = _descriptors()
        for _ in range(1_000):
            _attempt(way, made)
        assert _descriptors() <= before + 3


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _attempt(way: Client, made: PreparedRequest) -> None:
    with pytest.raises(NoAnswer):
        way.send(made)
