"""Bodies that are read while they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.receiver import OK, Behaviour, Receiver, endless, hang, raw
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http import body
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DeliveryReason

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def way() -> Iterator[Client]:
    way = Client(Policy(allow_private=True), Resolver())
    yield way
    way.close()


def failure(way: Client, behaviour: Behaviour, timeout: float = 60.0) -> DeliveryReason:
    with Receiver(lambda _: behaviour) as receiver:
        response = way.send(prepared(receiver.url(), "GET"), stream=True, timeout=timeout)
        with pytest.raises(NoAnswer) as caught:
            for _ in response.iter_content(65_536):
                pass
        assert response.raw.read(1) == b""
    return caught.value.reason


def test_a_long_body_is_read_whole_and_its_connection_used_again(way: Client) -> None:
    long = bytes(range(256)) * 20_000
    with Receiver((200, {}, long)) as receiver:
        for _ in range(2):
            response = way.send(prepared(receiver.url(), "GET"), stream=True)
            assert b"".join(response.iter_content(65_536)) == long
        assert receiver.connections == 1
        receiver.answer = lambda _: raw(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n")
        assert way.send(prepared(receiver.url(), "GET"), stream=True).content == b"hello"
        receiver.answer = lambda _: raw(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        assert way.send(prepared(receiver.url(), "GET"), stream=True).content == b"until the end"


def test_a_body_that_was_not_read_to_its_end_costs_the_connection(way: Client) -> None:
    with Receiver((200, {}, b"x" * 100_000)) as receiver:
        response = way.send(prepared(receiver.url(), "GET"), stream=True)
        assert len(response.raw.read(10)) == 10
        response.close()
        receiver.answer = OK
        assert way.send(prepared(receiver.url())).status_code == 200
        assert receiver.connections == 2


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), "connection_lost"),
        (raw(CHUNKED + b"5\r\nhel"), "bad_answer"),
        (raw(CHUNKED + b"zz\r\n"), "bad_answer"),
        (hang(CHUNKED + b"5\r\nhello\r\n"), "answer_timeout"),
    ],
)
def test_half_a_body_is_no_answer(way: Client, behaviour: Behaviour, reason: str) -> None:
    # The head must come in time.
    assert failure(way, behaviour, 1.0 if reason == "answer_timeout" else 60.0) == reason


def test_the_deadline_holds_for_a_body_that_drips(way: Client) -> None:
    started = time.monotonic()
    drip = endless(b"1\r\nx\r\n", first=CHUNKED, every=0.02)
    assert failure(way, drip, 1.0) == "answer_timeout"
    assert time.monotonic() - started < 20


def test_a_body_without_end_is_cut_off(way: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "STREAMED_MAX", 100_000)
    assert failure(way, endless(b"x" * 8_192, first=b"HTTP/1.1 200 OK\r\n\r\n")) == "bad_answer"
