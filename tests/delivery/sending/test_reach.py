"""The way to a URL, step by step: which one failed, and until when a certificate is valid."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tests.faults.receivers.test_tls import authority as authority
from tests.faults.receivers.test_tls import server_context
from tests.support.receiver import Receiver, hang, raw
from webhookproxy.delivery.sending.reach import Reach, Stage, reach
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy, UrlRefused
from webhookproxy.reasons import DeliveryReason

PRIVATE = Policy(allow_private=True, allow_http=True)


def tried(url: str, resolver: Resolver | None = None, policy: Policy = PRIVATE) -> Reach:
    return reach(url, policy, resolver or Resolver(), 5.0)


def leads_to(address: str) -> Resolver:
    """A resolver for which every name means this address."""
    answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
    return Resolver(lambda *_given, **_more: [answer])


def test_all_is_well_without_tls_and_nothing_is_sent() -> None:
    with Receiver() as receiver:
        assert tried(receiver.url("/hook")) == Reach(secure=False)
        assert receiver.requests == []


def test_a_good_certificate_says_until_when(authority: trustme.CA) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    with Receiver(tls=server_context(authority, "127.0.0.1", expires=ends)) as receiver:
        assert tried(receiver.url()) == Reach(secure=True, valid_until=ends)


@pytest.mark.parametrize(
    ("name", "expires", "reason"),
    [
        ("127.0.0.1", datetime(2020, 1, 1, tzinfo=UTC), DeliveryReason.TLS_EXPIRED),
        ("other.example", None, DeliveryReason.TLS_WRONG_NAME),
    ],
)
def test_a_certificate_that_will_not_do_fails_that_step(
    authority: trustme.CA, name: str, expires: datetime | None, reason: DeliveryReason
) -> None:
    with Receiver(tls=server_context(authority, name, expires=expires)) as receiver:
        assert tried(receiver.url()) == Reach(True, Stage.TLS, reason)


@pytest.mark.usefixtures("authority")
def test_a_port_without_tls_fails_that_step() -> None:
    with Receiver(greeting=raw(b"HTTP/1.1 400 No\r\n\r\n")) as receiver:
        url = receiver.url().replace("http:", "https:")
        assert tried(url) == Reach(True, Stage.TLS, DeliveryReason.TLS_FAILED)


@pytest.mark.usefixtures("authority")
def test_a_handshake_that_hangs_ends_in_time() -> None:
    with Receiver(greeting=hang()) as receiver:
        url, began = receiver.url().replace("http:", "https:"), time.monotonic()
        found = reach(url, PRIVATE, Resolver(), 0.3)
    assert found == Reach(True, Stage.TLS, DeliveryReason.CONNECT_TIMEOUT)
    assert time.monotonic() - began < 20


def test_a_closed_port_is_a_connection_that_failed() -> None:
    with Receiver() as receiver:
        url = receiver.url()
    assert tried(url) == Reach(False, Stage.CONNECTION, DeliveryReason.CONNECTION_REFUSED)


def test_a_name_that_is_not_there_fails_first() -> None:
    found = tried("http://nowhere.invalid:8000/", Resolver(lambda *_given, **_more: []))
    assert found == Reach(False, Stage.NAME, DeliveryReason.NAME_NOT_RESOLVED)


def test_an_address_inside_is_not_dialled(connects: list[object]) -> None:
    strict = Policy(allow_private=False, allow_http=False)
    found = tried("https://inside.example/", leads_to("10.0.0.7"), strict)
    assert found == Reach(True, Stage.ADDRESS, DeliveryReason.ADDRESS_NOT_ALLOWED)
    with pytest.raises(UrlRefused):
        tried("https://10.0.0.7/", policy=strict)
    assert connects == []
