"""How many connections one address may hold, and which one goes when there are too many."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from webhookproxy.serving import connections
from webhookproxy.serving.connections import Connections


class Visitors:
    """Connections to a pair of sockets each, so that a closed one is seen at the other end."""

    def __init__(self, stack: ExitStack) -> None:
        self.connections = Connections()
        self._stack = stack
        self._ends: list[tuple[socket.socket, socket.socket]] = []

    def come(self, address: str, number: int = 1) -> None:
        """Open `number` connections from an address."""
        for _ in range(number):
            ours, theirs = socket.socketpair()
            self._stack.enter_context(ours)
            self._stack.enter_context(theirs)
            self._stack.enter_context(self.connections.open(ours, address))
            self._ends.append((ours, theirs))

    def ours(self, number: int) -> socket.socket:
        """Return the server's end of the connection with this number, which begins at 0."""
        return self._ends[number][0]

    def closed(self) -> list[int]:
        """Return the numbers of the connections that were closed."""
        return [number for number, (_, theirs) in enumerate(self._ends) if _is_closed(theirs)]


def _is_closed(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return end.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.fixture
def visitors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitors]:
    """Visitors of a server that takes 3 connections of one address and 5 in all."""
    monkeypatch.setattr(connections, "PER_ADDRESS", 3)
    monkeypatch.setattr(connections, "IN_ALL", 5)
    with ExitStack() as stack:
        yield Visitors(stack)


def test_the_oldest_connection_of_an_address_goes_when_it_has_too_many(visitors: Visitors) -> None:
    visitors.come("203.0.113.1", 3)
    assert visitors.closed() == []
    visitors.come("203.0.113.1", 2)
    assert visitors.closed() == [0, 1]


def test_another_address_is_not_touched(visitors: Visitors) -> None:
    visitors.come("203.0.113.2")
    visitors.come("203.0.113.1", 4)
    assert visitors.closed() == [1]


def test_the_oldest_of_all_goes_when_all_together_are_too_many(visitors: Visitors) -> None:
    for number in range(6):
        visitors.come(f"203.0.113.{number}")
    assert visitors.closed() == [0]


def test_addresses_of_one_ipv6_network_are_one_visitor(visitors: Visitors) -> None:
    for number in range(4):
        visitors.come(f"2001:db8:1:1::{number}")
    assert visitors.closed() == [0]


def test_a_live_stream_takes_no_place(visitors: Visitors) -> None:
    visitors.come("203.0.113.1", 3)
    visitors.connections.is_stream(visitors.ours(0))
    visitors.come("203.0.113.1")
    assert visitors.closed() == []
    visitors.come("203.0.113.1")
    assert visitors.closed() == [1]


def test_behind_a_proxy_each_visitor_is_counted_apart(visitors: Visitors) -> None:
    visitors.come("10.0.0.1", 3)
    for number in range(3):
        visitors.connections.begin(visitors.ours(number), f"203.0.113.{number}")
    visitors.come("10.0.0.1", 2)
    assert visitors.closed() == []


def test_visitors_behind_a_proxy_have_the_same_bound(visitors: Visitors) -> None:
    visitors.come("10.0.0.1", 2)
    visitors.come("10.0.0.2", 2)
    for number in range(4):
        visitors.connections.begin(visitors.ours(number), "203.0.113.1")
    assert visitors.closed() == [0]
