"""Every answer of a receiver is classified, described in words, and retried."""

from __future__ import annotations

import gzip
import os
from dataclasses import astuple

import psutil
import pytest

from tests.delivery.lanes_world import Sending, attempt, by_key
from tests.support.application import rows, wait_until
from tests.support.names import answers, let_names_resolve
from tests.support.receiver import OK, Answer, Plain, Received, Receiver, endless, hang, raw, reset
from webhookproxy.delivery.lanes import pace
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import KEPT_ON_FAILURE, Client
from webhookproxy.network.http.message import prepared
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
METADATA = {"Location": "http://169.254.169.254/latest/meta-data"}

ANSWERS: dict[str, tuple[Answer, str]] = {
    "f05 500": ((500, {}, b""), "failed_status"),
    "f05 404": ((404, {}, b""), "refused_status"),
    "f05 429": ((429, {"Retry-After": "0"}, b""), "throttled"),
    "f05 429 with a date that passed": (
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""),
        "throttled",
    ),
    "f05 429 with a negative number": ((429, {"Retry-After": "-5"}, b""), "throttled"),
    "f05 429 with garbage": ((429, {"Retry-After": "soon\xff"}, b""), "throttled"),
    "f06 silence": (lambda _: hang(), "answer_timeout"),
    "f06 half a head": (lambda _: hang(HEAD), "answer_timeout"),
    "f06 a header drip": (
        lambda _: endless(b"x", first=HEAD + b"X: ", every=0.05),
        "answer_timeout",
    ),
    "f06 endless continue": (
        lambda _: endless(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.05),
        "answer_timeout",
    ),
    "f07 a reset": (lambda _: reset(), "connection_lost"),
    "f07 a close": (lambda _: raw(b""), "connection_lost"),
    "f07 HTTP/0.9": (lambda _: raw(b"<html>\r\n"), "bad_answer"),
    "f07 a bad chunk": (lambda _: raw(CHUNKED + b"zz\r\nhello\r\n"), "bad_answer"),
    "f07 a chunk line of 70 kB": (
        lambda _: raw(CHUNKED + b"1" * 70_000 + b"\r\n"),
        "bad_answer",
    ),
    "f08 an endless body": (
        lambda _: endless(b"x" * 8_192, first=b"HTTP/1.1 500 No\r\n\r\n"),
        "failed_status",
    ),
    "f09 a redirect to metadata": ((302, METADATA, b""), "redirected"),
    "f09 a Location that is no URL": ((302, {"Location": "http://[::1"}, b""), "redirected"),
    "f09 a Location in Latin-1": ((302, {"Location": "/\xe9\xff"}, b""), "redirected"),
    "f10 500 headers": (lambda _: raw(HEAD + b"X: y\r\n" * 500 + b"\r\n"), "bad_answer"),
    "f10 a header of 200 kB": (
        lambda _: raw(HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n"),
        "bad_answer",
    ),
}


@pytest.mark.parametrize(("answer", "reason"), ANSWERS.values(), ids=list(ANSWERS))
def test_f05_to_f10_a_bad_answer_is_one_failed_attempt_and_the_order_holds(
    half: Sending, monkeypatch: pytest.MonkeyPatch, token: str, answer: Answer, reason: str
) -> None:
    # A receiver that was busy is sent to again after a moment, not after seconds.
    monkeypatch.setattr(pace, "SLOWEST", 20.0)
    # Ports are used again, and another program on this machine may still send to this one.
    mine: list[Received] = []

    def first_fails(request: Received) -> object:
        if request.path == f"/{token}":
            mine.append(request)
        if len(mine) != 1 or mine[0] is not request:
            return OK
        return answer if isinstance(answer, tuple) else answer(request)

    with Receiver(first_fails) as receiver:  # type: ignore[arg-type]  # an answer or a behaviour
        # One that answers is given the time that it needs.
        timeout = 1.0 if "timeout" in reason else 30.0
        webhook = half.webhook(receiver.url(f"/{token}"), timeout=timeout)
        half.arrive(3, key="one")
        half.wait_for_ends(webhook, 3)
        half.check_totals(webhook)
    assert set(half.states(webhook)) == {("delivered", "accepted")}
    kept = rows(half.app, "SELECT reason FROM attempts ORDER BY started_ms, delivery_id, number")
    assert [row.reason for row in kept].count(reason) == 1
    assert all(astuple(DELIVERY_WORDS[DeliveryReason(reason)]))
    keyed = by_key(mine)["one"]
    assert keyed == sorted(keyed)
    assert mine[0].body == mine[1].body
    assert [attempt(request) for request in mine] == [1, 2, 1, 1]


def test_f09_a_redirect_loop_is_walked_once_and_its_target_is_told(half: Sending) -> None:
    def answer(request: Received) -> Plain:
        if request.number > 1:
            return OK
        return (302, {"Location": "https://final.example/hook?token=canary"}, b"")

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        assert half.lanes.results.drain(20)
    detail = rows(half.app, "SELECT detail FROM attempts ORDER BY number")[0].detail
    assert detail == "https://final.example/hook"
    looping = Receiver()
    with looping:
        looping.answer = (302, {"Location": looping.url()}, b"")
        webhook = half.webhook(looping.url())
        half.arrive(1)
        wait_until(lambda: len(looping.requests) >= 2)
        # Each request is an attempt with its own number.
        tries = [attempt(request) for request in looping.requests]
        assert tries == list(range(1, len(tries) + 1))


@pytest.mark.parametrize("status", [200, 302, 500])
def test_f08_a_gzip_bomb_is_neither_read_nor_unpacked(status: int) -> None:
    bomb = gzip.compress(bytes(64_000_000))
    headers = {"Content-Encoding": "gzip", "Location": "https://final.example/"}
    way = Client(Policy(allow_private=True, allow_http=False), Resolver())
    process = psutil.Process(os.getpid())
    with Receiver((status, headers, bomb)) as receiver:
        request = prepared(receiver.url())
        way.send(request)
        before = process.memory_info().rss
        for _ in range(10):
            response = way.send(request)
            assert response.status_code == status
            assert len(response.content) <= KEPT_ON_FAILURE
        more = process.memory_info().rss - before
    way.close()
    # The receiver lives in this process too; unpacked, each answer would take 64 MB.
    assert more < 4_000_000


def test_f05_a_404_of_an_n8n_test_url_is_said_in_its_own_words(half: Sending) -> None:
    def answer(request: Received) -> Plain:
        return (404, {}, b"") if request.number == 1 else OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url("/webhook-test/0f2b"))
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        half.check_totals(webhook)
    kept = rows(half.app, "SELECT reason FROM attempts ORDER BY number")
    assert [row.reason for row in kept] == ["n8n_test_url", "accepted"]


def test_f05_a_410_of_make_pauses_the_webhook_and_says_why(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver((410, {}, b"")) as receiver:
        let_names_resolve(
            monkeypatch, lambda *_given, **_named: answers("127.0.0.1", port=receiver.port)
        )
        half.webhook(receiver.url("/abcdefgh", host="hook.eu1.make.com"))
        half.arrive(1)
        half.wait_for("SELECT paused_reason FROM webhooks")
    row = rows(half.app, "SELECT state, paused_reason FROM webhooks")[0]
    assert tuple(row) == ("paused", "make_off")


@pytest.mark.parametrize(
    ("host", "answer", "reasons"),
    [
        ("hook.eu1.make.com", (400, {}, b"Queue is full."), ["make_queue_full", "accepted"]),
        (
            "script.google.com",
            (302, {"Location": "https://script.googleusercontent.com/macros/echo?lib=x"}, b""),
            ["apps_script_ran"],
        ),
        (
            "script.google.com",
            (302, {"Location": "https://accounts.google.com/ServiceLogin"}, b""),
            ["apps_script_private", "accepted"],
        ),
    ],
)
def test_f05_receivers_that_many_use_are_understood(
    half: Sending, monkeypatch: pytest.MonkeyPatch, host: str, answer: Plain, reasons: list[str]
) -> None:
    with Receiver(lambda got: answer if got.number == 1 else OK) as receiver:
        let_names_resolve(
            monkeypatch, lambda *_given, **_named: answers("127.0.0.1", port=receiver.port)
        )
        webhook = half.webhook(receiver.url("/macros/s/abc/exec", host=host))
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        half.check_totals(webhook)
    kept = rows(half.app, "SELECT reason FROM attempts ORDER BY number")
    assert [row.reason for row in kept] == reasons
