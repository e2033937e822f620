"""The checks of a receiver's certificate, and the words for each fault."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.support.receiver import Behaviour, Receiver, hang, raw
from webhookproxy.network import dial
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DeliveryReason

PRIVATE = Policy(allow_private=True, allow_http=False)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """A certificate authority that only the program trusts."""
    authority = trustme.CA()
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    dial.tls_context.cache_clear()
    yield authority
    dial.tls_context.cache_clear()


def server_context(
    authority: trustme.CA, *names: str, expires: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=expires).configure_cert(context)
    return context


@contextmanager
def transport() -> Iterator[Client]:
    way = Client(PRIVATE, dial.Resolver())
    yield way
    way.close()


def failed(way: Client, url: str, timeout: float) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        way.send(prepared(url), timeout=timeout)
    return caught.value


def failure(receiver: Receiver) -> NoAnswer:
    """Return the error of an attempt; nothing of the request was sent."""
    with transport() as way:
        error = failed(way, receiver.url(), timeout=5)
    assert receiver.requests == []
    return error


def test_f11_a_receiver_with_a_good_certificate_is_sent_to_and_kept(authority: trustme.CA) -> None:
    with Receiver(tls=server_context(authority, "127.0.0.1")) as receiver, transport() as way:
        for _ in range(3):
            assert way.send(prepared(receiver.url("/hook"))).status_code == 200
        assert [request.path for request in receiver.requests] == ["/hook"] * 3
        assert receiver.connections == 1


def test_f11_the_name_of_the_url_is_what_the_certificate_must_be_for(authority: trustme.CA) -> None:
    with Receiver(tls=server_context(authority, "localhost")) as receiver, transport() as way:
        response = way.send(prepared(receiver.url(host="localhost")))
        assert response.status_code == 200
        assert receiver.requests[0].headers["Host"] == f"localhost:{receiver.port}"


def test_f11_an_expired_certificate_is_told_apart(authority: trustme.CA) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with Receiver(tls=server_context(authority, "127.0.0.1", expires=past)) as receiver:
        assert failure(receiver).reason is DeliveryReason.TLS_EXPIRED


@pytest.mark.parametrize("name", ["other.example", "127.0.0.2"])
def test_f11_a_certificate_for_another_name_is_told_apart(authority: trustme.CA, name: str) -> None:
    with Receiver(tls=server_context(authority, name)) as receiver:
        assert failure(receiver).reason is DeliveryReason.TLS_WRONG_NAME


@pytest.mark.usefixtures("authority")
def test_f11_a_certificate_of_an_unknown_authority_is_told_apart() -> None:
    with Receiver(tls=server_context(trustme.CA(), "127.0.0.1")) as receiver:
        assert failure(receiver).reason is DeliveryReason.TLS_UNTRUSTED


def test_f11_without_settings_the_public_authorities_are_trusted_and_a_private_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    dial.tls_context.cache_clear()
    assert len(dial.tls_context("http/1.1").get_ca_certs()) > 50
    with Receiver(tls=server_context(trustme.CA(), "127.0.0.1")) as receiver:
        assert failure(receiver).reason is DeliveryReason.TLS_UNTRUSTED
    dial.tls_context.cache_clear()


def test_f11_tls_before_1_2_is_refused(authority: trustme.CA) -> None:
    context = server_context(authority, "127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Receiver(tls=context) as receiver:
        assert failure(receiver).reason is DeliveryReason.TLS_FAILED


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize(
    "greeting", [raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), raw(b"")], ids=["http", "close"]
)
def test_f11_no_tls_on_an_https_port_is_a_failed_attempt(greeting: Behaviour) -> None:
    with Receiver(greeting=greeting) as receiver, transport() as way:
        error = failed(way, receiver.url().replace("http:", "https:"), timeout=5)
    assert error.reason is DeliveryReason.TLS_FAILED


@pytest.mark.usefixtures("authority")
def test_f11_a_handshake_that_hangs_ends_at_the_deadline() -> None:
    with Receiver(greeting=hang()) as receiver, transport() as way:
        error = failed(way, receiver.url().replace("http:", "https:"), timeout=0.2)
    assert error.reason is DeliveryReason.CONNECT_TIMEOUT
