from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from gevent.event import Event

from tests.support.names import PRIVATE, STRICT, answers, reason_of, resolving
from tests.support.receiver import Receiver, raw
from webhookproxy.network import dial
from webhookproxy.network.dial import Resolver, connect, is_stale
from webhookproxy.reasons import DeliveryReason


@contextmanager
def silent_listener() -> Iterator[int]:
    """Yield a port with a full backlog: connecting hangs, as behind a firewall that drops."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Yield a port that refuses: bound, so that no other program gets it, and not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_an_address_is_checked_without_a_lookup(host: str, connects: list[Any]) -> None:
    def getaddrinfo(*_args: object, **_named: object) -> list[dial.Answer]:
        raise AssertionError("an address was looked up")

    resolver = Resolver(getaddrinfo=getaddrinfo)
    reason = reason_of(lambda: connect(host, 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert connects == []


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "017700000001"])
def test_a_spelling_that_the_system_reads_as_loopback_is_refused(
    host: str, connects: list[Any]
) -> None:
    reason = reason_of(lambda: connect(host, 443, STRICT, Resolver(), 5))
    assert reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert connects == []


def test_a_lookup_that_ended_is_not_remembered() -> None:
    lookups: list[object] = []

    def getaddrinfo(host: str, *_args: object, **_named: object) -> list[dial.Answer]:
        lookups.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    resolver = Resolver(getaddrinfo=getaddrinfo)
    for _ in range(2):
        with pytest.raises(OSError, match="gaierror"):
            resolver.lookup("example.com", 443)
    assert lookups == ["example.com", "example.com"]


def test_it_connects_to_the_address_that_was_checked(connects: list[Any]) -> None:
    with Receiver() as receiver:
        resolver = resolving("127.0.0.1", port=receiver.port)
        sock = connect("name.example", receiver.port, PRIVATE, resolver, 5)
        assert sock.getpeername() == ("127.0.0.1", receiver.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.gettimeout() is None
        sock.close()
    assert connects == [("127.0.0.1", receiver.port)]


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with Receiver() as receiver:
        # Nothing listens on this port at ::1.
        resolver = resolving("::1", "127.0.0.1", port=receiver.port)
        sock = connect("name.example", receiver.port, PRIVATE, resolver, 5)
        assert sock.getpeername()[0] == "127.0.0.1"
        sock.close()


def test_a_silent_address_leaves_time_for_the_next() -> None:
    with Receiver() as receiver, silent_listener() as port:
        both = answers("127.0.0.1", port=port) + answers("127.0.0.1", port=receiver.port)
        resolver = Resolver(getaddrinfo=lambda *_args, **_named: both)
        sock = connect("name.example", port, PRIVATE, resolver, 1.0)
        assert sock.getpeername()[1] == receiver.port
        sock.close()


def test_a_port_where_nobody_listens_refuses(closed_port: int) -> None:
    reason = reason_of(lambda: connect("127.0.0.1", closed_port, PRIVATE, Resolver(), 5))
    assert reason is DeliveryReason.CONNECTION_REFUSED


def test_a_host_that_never_accepts_is_a_timeout() -> None:
    with silent_listener() as port:
        started = time.monotonic()
        reason = reason_of(lambda: connect("127.0.0.1", port, PRIVATE, Resolver(), 0.2))
        # The system itself would try for two minutes.
        assert time.monotonic() - started < 20
    assert reason is DeliveryReason.CONNECT_TIMEOUT


def test_a_host_out_of_reach_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_self: socket.socket, _address: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    reason = reason_of(lambda: connect("8.8.8.8", 443, STRICT, Resolver(), 5))
    assert reason is DeliveryReason.CONNECTION_FAILED


def test_the_timeout_of_a_caller_passes_through() -> None:
    timer = gevent.Timeout(0.05)
    with silent_listener() as port, pytest.raises(gevent.Timeout) as caught, timer:
        connect("127.0.0.1", port, PRIVATE, Resolver(), 5)
    assert caught.value is timer


def test_an_idle_connection_is_stale_when_it_was_closed_or_speaks() -> None:
    leave = Event()

    def stay(_sock: socket.socket) -> None:
        leave.wait(5)

    with Receiver(greeting=stay) as receiver:
        sock = connect("127.0.0.1", receiver.port, PRIVATE, Resolver(), 5)
        assert not is_stale(sock)
        leave.set()
        wait_readable(sock)
        assert is_stale(sock)
        sock.close()
    with Receiver(greeting=raw(b"hello")) as receiver:
        sock = connect("127.0.0.1", receiver.port, PRIVATE, Resolver(), 5)
        wait_readable(sock)
        assert is_stale(sock)
        sock.close()


def wait_readable(sock: socket.socket) -> None:
    gevent_socket.wait_read(sock.fileno(), timeout=5)
