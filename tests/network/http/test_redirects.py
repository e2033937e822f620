"""Redirects that the caller asked to follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from requests import PreparedRequest

from tests.support.names import answers
from tests.support.receiver import OK, Plain, Received, Receiver, hang
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import prepared
from webhookproxy.network.http.redirects import REDIRECTS_MAX, send_following
from webhookproxy.reasons import DeliveryReason


@pytest.fixture
def way() -> Iterator[Client]:
    way = Client(Policy(allow_private=True), Resolver())
    yield way
    way.close()


def request(url: str, method: str = "POST") -> PreparedRequest:
    made = prepared(url, method)
    made.headers.update(
        {
            "Authorization": "Bearer canary",
            "X-Signature-SHA256": "canary",
            "Cookie": "canary",
            "Content-Type": "application/json",
            "User-Agent": "webhookproxy/0",
        }
    )
    made.body = b"{}" if method == "POST" else None
    return made


def seen(status: int, way: Client, method: str = "POST") -> Received:
    """Return the request that the second server got after the first one's redirect."""
    with Receiver() as final, Receiver((status, {"Location": final.url("/there#x")}, b"")) as first:
        response = send_following(way, request(first.url(), method), 5)
        assert response.status_code == 200
        assert response.url == final.url("/there")
        assert len(first.requests) == len(final.requests) == 1
        return final.requests[0]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_most_redirects_ask_for_a_get_and_get_no_credentials(way: Client, status: int) -> None:
    got = seen(status, way)
    assert (got.method, got.path, got.body) == ("GET", "/there", b"")
    assert "canary" not in str(got.headers)
    assert set(got.headers) == {"Host", "Accept-Encoding", "User-Agent"}


@pytest.mark.parametrize("status", [307, 308])
def test_some_redirects_keep_method_and_body_but_no_credentials(way: Client, status: int) -> None:
    got = seen(status, way)
    assert (got.method, got.body) == ("POST", b"{}")
    assert got.headers["Content-Type"] == "application/json"
    assert "canary" not in str(got.headers)


def test_the_same_server_gets_no_credentials_either(way: Client) -> None:
    def answer(got: Received) -> Plain:
        return OK if got.path == "/b" else (302, {"Location": "/b"}, b"")

    with Receiver(answer) as receiver:
        send_following(way, request(receiver.url("/a"), "GET"), 5)
        assert receiver.connections == 1
        first, second = receiver.requests
    assert "Authorization" in first.headers
    assert "Authorization" not in second.headers


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://inside.example/", "http://[::1"]
)
def test_where_a_redirect_leads_is_checked_as_the_first_address_was(
    target: str, connects: list[Any]
) -> None:
    def resolve(host: str, port: int, **_named: object) -> list[Any]:
        # The guard allows the first name, and refuses the address of the second.
        return answers("169.254.169.254" if host == "inside.example" else "127.0.0.1", port=port)

    way = Client(Policy(allow_private=True), Resolver(resolve))
    with Receiver((302, {"Location": target}, b"")) as receiver, pytest.raises(NoAnswer) as caught:
        send_following(way, request(receiver.url(host="outside.example")), 5)
    assert caught.value.reason in (DeliveryReason.ADDRESS_NOT_ALLOWED, DeliveryReason.REDIRECTED)
    assert connects == [("127.0.0.1", receiver.port)]
    way.close()


def test_a_loop_ends(way: Client) -> None:
    with Receiver() as receiver:
        receiver.answer = (302, {"Location": receiver.url()}, b"")
        with pytest.raises(NoAnswer, match="too often"):
            send_following(way, request(receiver.url()), 5)
        assert len(receiver.requests) == REDIRECTS_MAX + 1


def test_all_of_it_has_one_deadline(way: Client) -> None:
    def answer(got: Received) -> Any:
        return hang() if got.number > 1 else (302, {"Location": "/"}, b"")

    with Receiver(answer) as receiver, pytest.raises(NoAnswer) as caught:
        send_following(way, request(receiver.url()), 0.2)
    assert caught.value.reason is DeliveryReason.ANSWER_TIMEOUT


def test_a_redirect_that_names_no_place_is_the_answer(way: Client) -> None:
    with Receiver((302, {}, b"")) as receiver:
        assert send_following(way, request(receiver.url()), 5).status_code == 302
