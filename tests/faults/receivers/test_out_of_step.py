"""Bytes outside an answer do not spoil the next one, and a POST sent twice says so."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.delivery.lanes_world import Sending, attempt
from tests.support.application import rows
from tests.support.receiver import OK, Behaviour, Plain, Received, Receiver, raw, reset
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http import client
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import StaleLink
from webhookproxy.network.http.message import prepared

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"
OK_2 = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Late:
    """Answers every request of a connection with `answer`; before the second and each later one
    it sends the rest of the answer before, as a handler does that is slow to write its body."""

    def __init__(self, answer: bytes, rest: bytes) -> None:
        self.posts = 0
        self._answer = answer
        self._rest = rest

    def __call__(self, sock: socket.socket) -> None:
        rest = b""
        while sock.recv(65_536):
            self.posts += 1
            sock.sendall(rest + self._answer)
            rest = self._rest


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(client, "BODY_SECONDS", 0.2)
    way = Client(Policy(allow_private=True), Resolver())
    yield way
    way.close()


@pytest.mark.parametrize(
    "head",
    [
        NO_CONTENT + b"Content-Length: 2\r\n\r\n",
        NO_CONTENT + b"Content-Length: two\r\n\r\n",
        NO_CONTENT + b"Transfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_an_answer_that_may_have_no_body_and_announces_one_ends_its_connection(
    way: Client, head: bytes
) -> None:
    late = Late(head, b"ok")
    with Receiver(greeting=late) as receiver:
        for _ in range(6):
            assert way.send(prepared(receiver.url())).status_code in (204, 304)
        assert (late.posts, receiver.connections) == (6, 6)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
        NO_CONTENT + b"\r\nmore",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nokmore",
    ],
)
def test_bytes_after_an_answer_end_its_connection(way: Client, answer: bytes) -> None:
    plain = Late(answer, b"")
    with Receiver(greeting=plain) as receiver:
        for _ in range(6):
            assert way.send(prepared(receiver.url())).content in (b"ok", b"")
        assert (plain.posts, receiver.connections) == (6, 6)


def test_a_body_longer_than_it_was_announced_costs_one_post_and_no_more(way: Client) -> None:
    late = Late(OK_2, b" and more")
    with Receiver(greeting=late) as receiver:
        assert way.send(prepared(receiver.url())).status_code == 200
        with pytest.raises(StaleLink):
            way.send(prepared(receiver.url()))
        # From now on every connection is used once.
        for _ in range(4):
            assert way.send(prepared(receiver.url())).content == b"ok"
        assert (late.posts, receiver.connections) == (6, 5)


@pytest.mark.parametrize("death", [reset(), raw(b""), raw(b"more of the last body\n")])
def test_a_post_that_is_sent_twice_is_seen_twice(half: Sending, death: Behaviour) -> None:
    def dies_once(got: Received) -> Plain | Behaviour:
        return death if got.number == 2 else OK

    with Receiver(dies_once) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=1)
        half.arrive(2)
        half.wait_for_ends(webhook, 2)
        half.check_totals(webhook)
        sent = receiver.requests
    assert [attempt(got) for got in sent] == [1, 1, 2]
    assert sent[1].body == sent[2].body
    assert [got.connection for got in sent] == [1, 1, 2]
    kept = rows(half.app, "SELECT number, reason FROM attempts ORDER BY delivery_id, number")
    assert [tuple(row) for row in kept] == [
        (1, "accepted"),
        (1, "connection_lost"),
        (2, "accepted"),
    ]
    stored = rows(half.app, "SELECT tries, attempts FROM deliveries ORDER BY id")
    assert [tuple(row) for row in stored] == [(1, 1), (1, 2)]
