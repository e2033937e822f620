"""Names that do not resolve, resolve too slowly, or lead to forbidden addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import monkey

from tests.delivery.lanes_world import Sending
from tests.support.application import rows, wait_until
from tests.support.names import STRICT, answers, let_names_resolve, reason_of, resolving
from tests.support.receiver import Receiver
from webhookproxy.network import dial
from webhookproxy.network.dial import Resolver, connect
from webhookproxy.reasons import DeliveryReason


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
def test_f12_one_answer_that_is_not_allowed_refuses_all(
    addresses: tuple[str, ...], connects: list[Any]
) -> None:
    resolver = resolving(*addresses)
    reason = reason_of(lambda: connect("example.com", 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.ADDRESS_NOT_ALLOWED
    assert connects == []


def test_f12_a_name_that_flips_to_a_private_address_is_refused(connects: list[Any]) -> None:
    asked = iter([("8.8.8.8",), ("127.0.0.1",)])
    resolver = Resolver(getaddrinfo=lambda *_args, **_named: answers(*next(asked)))
    assert resolver.lookup("example.com", 443) == answers("8.8.8.8")
    reason = reason_of(lambda: connect("example.com", 443, STRICT, resolver, 5))
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
def test_f12_a_name_that_does_not_resolve_says_so(error: Exception) -> None:
    def getaddrinfo(*_args: object, **_named: object) -> list[dial.Answer]:
        raise error

    resolver = Resolver(getaddrinfo=getaddrinfo)
    reason = reason_of(lambda: connect("nowhere.example", 443, STRICT, resolver, 5))
    assert reason is DeliveryReason.NAME_NOT_RESOLVED


def test_f12_a_name_without_addresses_does_not_resolve() -> None:
    reason = reason_of(lambda: connect("nowhere.example", 443, STRICT, resolving(), 5))
    assert reason is DeliveryReason.NAME_NOT_RESOLVED


def test_f12_a_dead_name_holds_one_thread_and_ends_at_each_deadline() -> None:
    lookups: list[object] = []
    # A patched lock would need a hub in the pool's thread.
    held = monkey.get_original("threading", "Lock")()
    held.acquire()

    def getaddrinfo(host: str, *_args: object, **_named: object) -> list[dial.Answer]:
        lookups.append(host)
        held.acquire(timeout=200)
        return answers("8.8.8.8")

    resolver = Resolver(getaddrinfo=getaddrinfo)
    waiting = [
        gevent.spawn(reason_of, lambda: connect("dead.example", 443, STRICT, resolver, 0.1))
        for _ in range(50)
    ]
    gevent.joinall(waiting, timeout=60)
    assert [greenlet.value for greenlet in waiting] == [DeliveryReason.NAME_NOT_RESOLVED] * 50
    # They did not wait for the lookup, which goes on for those that still wait.
    late = gevent.spawn(resolver.lookup, "dead.example", 443)
    gevent.idle()
    held.release()
    assert late.get(timeout=60) == answers("8.8.8.8")
    assert lookups == ["dead.example"]


class Silent:
    """Names that begin with "silent" do not resolve before the test ends; others do at once."""

    def __init__(self) -> None:
        # A patched lock would need a hub in the pool's thread.
        self._held = monkey.get_original("threading", "Lock")()
        self._held.acquire()
        self.asked: list[str] = []

    def __call__(self, host: str, *_args: object, **_named: object) -> list[dial.Answer]:
        if host.startswith("silent"):
            self.asked.append(host)
            self._held.acquire(timeout=200)
            self._held.release()
        return answers("8.8.8.8")

    def begin(self) -> None:
        """Make these names silent again."""
        self._held.acquire()

    def end(self) -> None:
        """Let all names resolve."""
        if self._held.locked():
            self._held.release()


@pytest.fixture
def silent() -> Iterator[Silent]:
    silent = Silent()
    yield silent
    silent.end()


def test_f12_many_silent_names_hold_up_no_other(silent: Silent) -> None:
    resolver = Resolver(silent)
    waiting = [gevent.spawn(resolver.lookup, f"silent{n}.example", 443) for n in range(24)]
    wait_until(lambda: len(silent.asked) == 24)
    with gevent.Timeout(60):
        assert resolver.lookup("good.example", 443) == answers("8.8.8.8")
    silent.end()
    gevent.joinall(waiting, timeout=60, raise_error=True)


def test_f12_names_that_were_slow_share_four_threads(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "SLOW_SECONDS", 0.05)
    resolver = Resolver(silent)
    names = [f"silent{n}.example" for n in range(10)]
    first = [gevent.spawn(resolver.lookup, name, 443) for name in names]
    wait_until(lambda: len(silent.asked) == 10)
    gevent.joinall(first, timeout=0.1)
    silent.end()
    gevent.joinall(first, timeout=60, raise_error=True)
    silent.begin()
    again = [gevent.spawn(resolver.lookup, name, 443) for name in names]
    wait_until(lambda: len(silent.asked) == 14)
    with gevent.Timeout(60):
        resolver.lookup("good.example", 443)
    assert len(silent.asked) == 14
    silent.end()
    gevent.joinall(again, timeout=60, raise_error=True)
    # A name that answers in time again is treated like any other.
    monkeypatch.setattr(dial, "SLOW_SECONDS", 60.0)
    for name in names:
        resolver.lookup(name, 443)
    silent.begin()
    last = [gevent.spawn(resolver.lookup, name, 443) for name in names]
    wait_until(lambda: len(silent.asked) == 40)
    silent.end()
    gevent.joinall(last, timeout=60, raise_error=True)


def test_f12_silent_names_of_webhooks_hold_up_no_socket(
    half: Sending, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_names_resolve(monkeypatch, silent)
    names = [f"silent{n}.example" for n in range(dial.DNS_THREADS + 8)]
    lookup = half.lanes._services.resolver.lookup
    waiting = [gevent.spawn(lookup, name, 443) for name in names]
    wait_until(lambda: len(silent.asked) == dial.DNS_THREADS)
    sockets = half.relay.registry.handshakes.resolver
    monkeypatch.setattr(sockets, "_getaddrinfo", silent)
    with gevent.Timeout(60):
        assert sockets.lookup("socket.example", 443) == answers("8.8.8.8")
    silent.end()
    gevent.joinall(waiting, timeout=60, raise_error=True)


def test_f12_a_name_that_did_not_resolve_is_one_failed_attempt_and_the_next_one_arrives(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_named: object) -> list[dial.Answer]:
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers("127.0.0.1", port=port)

    let_names_resolve(monkeypatch, getaddrinfo)
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(host="hooks.example"))
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        half.check_totals(webhook)
    kept = rows(half.app, "SELECT reason FROM attempts ORDER BY number")
    assert [row.reason for row in kept] == ["name_not_resolved", "accepted"]
