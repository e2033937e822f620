from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent import socket as gevent_socket
from gevent.event import Event

from tests.receiver import Receiver, raw
from webhookproxy import dial
from webhookproxy.dial import DialError, Resolver, connect, is_stale
from webhookproxy.guard import Policy
from webhookproxy.reasons import DeliveryReason

STRICT = Policy(allow_private=False, allow_http=False)
PRIVATE = Policy(allow_private=True, allow_http=False)


def answers(*addresses: str, port: int = 443) -> list[dial.Answer]:
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
        if ":" in address
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
        for address in addresses
    ]


def resolving(*addresses: str, port: int = 443) -> Resolver:
    """A resolver for which every name has these addresses."""
    return Resolver(getaddrinfo=lambda *_args, **_named: answers(*addresses, port=port))


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a connect() is tried to, while the test runs."""
    tried: list[Any] = []
    original = socket.socket.connect

    def recorder(self: socket.socket, address: Any) -> None:
        tried.append(address)
        original(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorder)
    return tried


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port whose backlog is full: connecting to it hangs, as behind a firewall that drops."""
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
    """A port that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def reason_of(call: Callable[[], object]) -> DeliveryReason:
    with pytest.raises(DialError) as caught:
        call()
    assert caught.value.detail.endswith((".", "?"))
    assert not any(character.isdigit() for character in caught.value.detail)
    return caught.value.reason


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("8.8.8.8", "127.0.0.1"),
        ("127.0.0.1", "8.8.8.8"),
        ("2606:4700::1111", "::1"),
        ("8.8.8.8", "::ffff:10.0.0.1"),
        ("fe80::1%eth0",),
        ("64:ff9b::7f00:1",),
    ],
)
def test_one_answer_that_is_not_allowed_refuses_all(
    addresses: tuple[str, ...], connects: list[Any]
) -> None:
    resolver = resolving(*addresses)
    reason = reason_of(lambda: connect("example.com", 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert connects == []


def test_a_name_that_flips_to_a_private_address_is_refused(connects: list[Any]) -> None:
    asked = iter([("8.8.8.8",), ("127.0.0.1",)])
    resolver = Resolver(getaddrinfo=lambda *_args, **_named: answers(*next(asked)))
    assert resolver.lookup("example.com", 443) == answers("8.8.8.8")
    reason = reason_of(lambda: connect("example.com", 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert connects == []


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


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        UnicodeError("label too long"),
    ],
)
def test_a_name_that_does_not_resolve_says_so(error: Exception) -> None:
    def getaddrinfo(*_args: object, **_named: object) -> list[dial.Answer]:
        raise error

    resolver = Resolver(getaddrinfo=getaddrinfo)
    reason = reason_of(lambda: connect("nowhere.example", 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.NAME_NOT_RESOLVED


def test_a_name_without_addresses_does_not_resolve() -> None:
    reason = reason_of(lambda: connect("nowhere.example", 443, STRICT, resolving(), 5))
    assert reason is DeliveryReason.NAME_NOT_RESOLVED


def test_a_dead_name_holds_one_thread_and_ends_at_each_deadline() -> None:
    lookups: list[object] = []
    # A patched lock would need a hub in the pool's thread.
    held = monkey.get_original("threading", "Lock")()
    held.acquire()

    def getaddrinfo(host: str, *_args: object, **_named: object) -> list[dial.Answer]:
        lookups.append(host)
        held.acquire(timeout=10)
        return answers("8.8.8.8")

    resolver = Resolver(getaddrinfo=getaddrinfo)
    started = time.monotonic()
    waiting = [
        gevent.spawn(reason_of, lambda: connect("dead.example", 443, STRICT, resolver, 0.1))
        for _ in range(50)
    ]
    gevent.joinall(waiting, timeout=5)
    assert [greenlet.value for greenlet in waiting] == [DeliveryReason.NAME_NOT_RESOLVED] * 50
    assert time.monotonic() - started < 3
    # The lookup goes on for whoever still waits.
    late = gevent.spawn(resolver.lookup, "dead.example", 443)
    gevent.idle()
    held.release()
    assert late.get(timeout=5) == answers("8.8.8.8")
    assert lookups == ["dead.example"]


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
        assert time.monotonic() - started < 2
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
