from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from requests import PreparedRequest

from tests.support.receiver import OK, Behaviour, Plain, Received, Receiver, hang, raw, reset
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http import idle
from webhookproxy.network.http.client import Client
from webhookproxy.network.http.errors import NoAnswer, StaleLink
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DeliveryReason

STRICT = Policy(allow_private=False, allow_http=True)
PRIVATE = Policy(allow_private=True, allow_http=False)


@pytest.fixture
def way() -> Iterator[Client]:
    way = Client(PRIVATE, Resolver())
    yield way
    way.close()


def request(url: str, body: bytes = b"{}", **headers: str) -> PreparedRequest:
    made = prepared(url).copy()
    made.headers.update(headers)
    made.body = body
    return made


def test_the_request_arrives_as_it_was_made(way: Client) -> None:
    with Receiver() as receiver:
        made = request(receiver.url("/hook/ol%C3%A1?a=1"), "é".encode(), Authorization="Bearer é")
        response = way.send(made)
        got = receiver.requests[0]
    assert (got.method, got.path, got.body) == ("POST", "/hook/ol%C3%A1?a=1", "é".encode())
    assert dict(got.headers) == {
        "Host": f"127.0.0.1:{receiver.port}",
        "Accept-Encoding": "identity",
        "Content-Length": "2",
        "Authorization": "Bearer é",
    }
    assert (response.status_code, response.content) == (200, b'{"status":"ok"}')
    assert response.headers["content-type"] == "application/json"


def test_an_ipv6_receiver_gets_its_address_as_host(way: Client) -> None:
    with Receiver(host="::1") as receiver:
        way.send(request(receiver.url()))
        assert receiver.requests[0].headers["Host"] == f"[::1]:{receiver.port}"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n", "a\r", "a\0", "\u20ac"])
def test_a_header_that_would_break_the_request_is_not_sent(way: Client, value: str) -> None:
    with Receiver() as receiver, pytest.raises(NoAnswer) as caught:
        way.send(request(receiver.url(), Authorization=value))
    assert caught.value.reason is DeliveryReason.INTERNAL_ERROR
    assert receiver.connections == 0


def test_a_connection_is_used_again(way: Client) -> None:
    with Receiver() as receiver:
        for number in range(5):
            way.send(request(receiver.url(), b"%d" % number))
        assert receiver.connections == 1
        assert [got.body for got in receiver.requests] == [b"0", b"1", b"2", b"3", b"4"]


def test_many_at_once_never_mix_and_only_max_idle_connections_are_kept() -> None:
    def echo(got: Received) -> Plain:
        return 200, {"X-Echo": got.headers["X-Number"]}, got.body

    way = Client(PRIVATE, Resolver(), max_idle=3)

    def send(number: int) -> bool:
        text = str(number)
        response = way.send(request(receiver.url(), text.encode(), **{"X-Number": text}))
        return response.content == text.encode() and response.headers["X-Echo"] == text

    with Receiver(echo) as receiver:
        jobs = [gevent.spawn(send, number) for number in range(60)]
        gevent.joinall(jobs, timeout=60)
        assert all(job.value for job in jobs)
        before = receiver.connections
        jobs = [gevent.spawn(send, number) for number in range(3)]
        gevent.joinall(jobs, timeout=60)
        assert receiver.connections == before
        assert len(way._idle) == 3
    way.close()


def test_a_connection_closed_while_idle_costs_no_attempt(way: Client) -> None:
    def last(_got: Received) -> Behaviour:
        return raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Receiver(last) as receiver:
        for _ in range(3):
            assert way.send(request(receiver.url())).status_code == 200
        assert len(receiver.requests) == 3


def test_a_kept_connection_that_dies_under_a_request_is_stale_and_the_next_one_is_fresh(
    way: Client,
) -> None:
    def dies_when_reused(got: Received) -> Plain | Behaviour:
        return reset() if got.number == 2 else OK

    with Receiver(dies_when_reused) as receiver:
        assert way.send(request(receiver.url(), b"one")).status_code == 200
        with pytest.raises(StaleLink):
            way.send(request(receiver.url(), b"two"))
        assert way.send(request(receiver.url(), b"two")).status_code == 200
        assert [got.body for got in receiver.requests] == [b"one", b"two", b"two"]
        assert receiver.connections == 2


def test_a_kept_connection_that_is_silent_is_no_stale_one(way: Client) -> None:
    with Receiver(lambda got: hang() if got.number == 2 else OK) as receiver:
        way.send(request(receiver.url()))
        with pytest.raises(NoAnswer) as caught:
            way.send(request(receiver.url()), timeout=0.1)
        assert caught.value.reason is DeliveryReason.ANSWER_TIMEOUT


def test_a_fresh_connection_that_dies_is_not_tried_again(way: Client) -> None:
    with Receiver(lambda _: reset()) as receiver:
        with pytest.raises(NoAnswer):
            way.send(request(receiver.url()))
        assert len(receiver.requests) == 1


def test_connections_to_other_servers_are_not_mixed_up(way: Client) -> None:
    with Receiver() as one, Receiver((200, {}, b"other")) as other:
        for _ in range(3):
            assert way.send(request(one.url("/a"))).content == OK[2]
            assert way.send(request(other.url("/b"))).content == b"other"
        assert (one.connections, other.connections) == (1, 1)


def test_a_get_without_a_body_announces_none(way: Client) -> None:
    with Receiver() as receiver:
        assert way.send(prepared(receiver.url("/calls?page=1"), "GET")).json() == {"status": "ok"}
        got = receiver.requests[0]
    assert (got.method, got.path, got.body) == ("GET", "/calls?page=1", b"")
    assert "Content-Length" not in got.headers


def test_a_connection_idle_for_too_long_is_not_used(
    way: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        way.send(request(receiver.url()))
        monkeypatch.setattr(idle, "IDLE_SECONDS", -1.0)
        way.send(request(receiver.url()))
        assert receiver.connections == 2


def test_idle_connections_are_closed_after_a_while_without_another_request(
    way: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "IDLE_SECONDS", 0.01)
    with Receiver() as receiver:
        way.send(request(receiver.url()))
        assert len(way._idle) == 1
        with gevent.Timeout(60):
            while way._idle:
                gevent.sleep(0.005)


def test_after_close_no_connection_is_kept(way: Client) -> None:
    with Receiver() as receiver:
        way.send(request(receiver.url()))
        way.close()
        for _ in range(2):
            assert way.send(request(receiver.url())).status_code == 200
        assert receiver.connections == 3


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/", "http://[::ffff:127.0.0.1]:8080/", "http://127.1/", "nonsense"],
)
def test_a_url_that_is_not_allowed_any_more_is_not_sent_to(url: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        Client(STRICT, Resolver()).send(request(url))
    assert caught.value.reason is DeliveryReason.ADDRESS_NOT_ALLOWED


def test_proxies_and_netrc_of_the_environment_are_not_used(
    way: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Receiver() as receiver, Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        netrc = tmp_path / "netrc"
        netrc.write_text("default login me password secret\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        way.send(request(receiver.url()), proxies={"http": proxy.url()})
        assert proxy.connections == 0
        assert "Authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/", "http://[::1", "http://\xff\xfe/", "/", "http://127.0.0.1:1/"],
)
def test_a_redirect_is_an_answer_and_is_not_followed(way: Client, location: str) -> None:
    with Receiver((302, {"Location": location}, b"moved")) as receiver:
        response = way.send(request(receiver.url()))
        assert len(receiver.requests) == 1
    assert (response.status_code, response.content) == (302, b"moved")
    assert response.next is None


def test_a_body_a_little_longer_than_what_is_kept_keeps_the_connection(way: Client) -> None:
    with Receiver((200, {}, b"x" * 5_000)) as receiver:
        for _ in range(2):
            assert len(way.send(request(receiver.url())).content) == 1_024
        assert receiver.connections == 1


def test_an_answer_without_body_keeps_the_connection(way: Client) -> None:
    with Receiver((204, {}, b"")) as receiver:
        for _ in range(2):
            assert way.send(request(receiver.url())).content == b""
        assert receiver.connections == 1


def test_the_timeout_of_a_caller_and_a_kill_pass_through(way: Client) -> None:
    with Receiver(lambda _: hang()) as receiver:
        with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.05) as timer:
            way.send(request(receiver.url()))
        assert caught.value is timer
        job = gevent.spawn(way.send, request(receiver.url()))
        receiver.wait_for(2)
        job.kill(timeout=5)
        assert isinstance(job.value, gevent.GreenletExit)
