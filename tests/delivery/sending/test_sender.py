"""One attempt, from stored columns to an outcome in our words."""

from __future__ import annotations

import gzip
import json
import logging
from dataclasses import replace

import pytest

from tests.delivery.sending.conftest import DUE, FACTS, PAYLOAD, MakeSender
from tests.delivery.waiting.window_rows import NOW_MS
from tests.support.receiver import Plain, Received, Receiver, hang, raw
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.network.http.client import KEPT_ON_FAILURE
from webhookproxy.platform.recording_links import recording_token, recording_url
from webhookproxy.reasons import DeliveryReason


def test_the_body_carries_the_payload_as_it_came(make: MakeSender) -> None:
    with Receiver() as receiver:
        outcome = make(receiver.url()).send(DUE)
    body = receiver.requests[0].body
    assert PAYLOAD.encode() in body
    assert list(json.loads(body)) == ["event", "payload", "meta"]
    assert json.loads(body)["meta"]["webhook_id"] == "webhook_9"
    assert json.loads(body)["meta"]["event_id"] == "evt_7"
    assert (outcome.kind, outcome.status, outcome.reason) == (
        Kind.SUCCESS,
        200,
        DeliveryReason.ACCEPTED,
    )
    assert outcome.started_ms == NOW_MS
    assert outcome.answer == '{"status":"ok"}'


def test_the_headers_name_event_attempt_and_credentials(make: MakeSender) -> None:
    with Receiver() as receiver:
        make(receiver.url(), authorization="abc", secret="s" * 32).send(DUE)
        make(receiver.url()).send(DUE)
    headers, plain = (each.headers for each in receiver.requests)
    assert headers["X-Webhook-Event"] == "call-was-created"
    assert headers["X-Webhook-Attempt"] == "5"
    assert headers["Authorization"] == "Bearer abc"
    assert headers["webhook-id"] == "evt_7"
    assert headers["webhook-timestamp"] == str(NOW_MS // 1000)
    assert not {"Authorization", "X-Signature-SHA256", "webhook-id"} & set(plain)


def test_a_refusal_keeps_status_and_answer(make: MakeSender) -> None:
    with Receiver((422, {}, b"no\0 such lead")) as receiver:
        outcome = make(receiver.url()).send(DUE)
    assert (outcome.kind, outcome.status) == (Kind.REFUSAL, 422)
    assert outcome.answer == "no\N{REPLACEMENT CHARACTER} such lead"
    assert outcome.retry_after is None


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "application/json; charset=ISO-8859-1"}, "situação".encode("latin-1")),
        ({"Content-Encoding": "gzip"}, gzip.compress("situação".encode())),
    ],
)
def test_what_the_receiver_said_is_kept_readable(
    make: MakeSender, headers: dict[str, str], content: bytes
) -> None:
    with Receiver((422, headers, content)) as receiver:
        assert make(receiver.url()).send(DUE).answer == "situação"


def test_an_answer_that_shows_what_was_sent_is_kept_without_our_secrets(make: MakeSender) -> None:
    def echo(got: Received) -> Plain:
        return 500, {}, f"{dict(got.headers)} canary-secret abc".encode()

    with Receiver(echo) as receiver:
        typed = make(receiver.url(), authorization="Basic canary-auth", secret="canary-secret")
        assert "canary" not in (typed.send(DUE).answer or "canary")
        bare = make(receiver.url(), authorization="canary-auth", secret="abc")
        answer = bare.send(DUE).answer or ""
    assert "'Authorization': 'Bearer …'" in answer
    # Hidden wherever it is found, so short a secret would only spoil the answer.
    assert answer.endswith(" abc")


def test_an_answer_that_shows_the_link_to_a_recording_is_kept_without_its_token(
    make: MakeSender,
) -> None:
    due = replace(DUE, facts=replace(FACTS, recording_base="https://proxy.example"))
    token = recording_token("key", "evt_7")
    url = recording_url("https://proxy.example", token)

    def echo(got: Received) -> Plain:
        assert url.encode() in got.body
        return 500, {"X-Got": url}, got.body

    with Receiver(echo) as receiver:
        sender = make(receiver.url(), lambda _: "key")
        whole = sender.send(due)
        # As much as is kept of a failure's answer ends within the token.
        cut = b"x" * (KEPT_ON_FAILURE - 12) + token.encode()
        receiver.answer = (500, {}, cut)
        assert sender.send(due).answer == "x" * (KEPT_ON_FAILURE - 12) + "…"
    assert "https://proxy.example/gravacao/…" in (whole.answer or "")
    assert "x-got: https://proxy.example/gravacao/…" in (whole.headers or "")
    assert token not in f"{whole}"


def test_a_failure_keeps_the_headers_of_its_answer_without_our_secrets(make: MakeSender) -> None:
    headers = {"X-Request-Id": "abc-7", "X-Got": "Bearer canary-auth", "X-Sign": "canary-secret"}
    with Receiver((500, {**headers, "Set-Cookie": "s=canary"}, b"")) as receiver:
        sender = make(receiver.url(), authorization="canary-auth", secret="canary-secret")
        kept = sender.send(DUE).headers or ""
        receiver.answer = (200, headers, b"")
        assert sender.send(DUE).headers is None
    assert "x-request-id: abc-7" in kept.split("\n")
    assert "set-cookie: …" in kept
    assert "canary" not in kept


@pytest.mark.parametrize(("status", "seconds"), [(429, 30.0), (503, 30.0), (404, None)])
def test_only_a_failure_may_ask_for_patience(
    make: MakeSender, status: int, seconds: float | None
) -> None:
    with Receiver((status, {"Retry-After": "30"}, b"")) as receiver:
        assert make(receiver.url()).send(DUE).retry_after == seconds


def test_a_redirect_is_a_failure_and_is_not_followed(make: MakeSender) -> None:
    with Receiver() as other, Receiver((302, {"Location": other.url()}, b"")) as receiver:
        outcome = make(receiver.url()).send(DUE)
    assert (outcome.kind, outcome.reason) == (Kind.FAILURE, DeliveryReason.REDIRECTED)
    assert other.connections == 0


def test_no_answer_is_a_failed_attempt_with_its_reason(make: MakeSender) -> None:
    with Receiver(lambda _: hang()) as receiver:
        outcome = make(receiver.url(), timeout=0.1).send(DUE)
        assert (outcome.kind, outcome.reason) == (Kind.FAILURE, DeliveryReason.ANSWER_TIMEOUT)
        assert 90 <= outcome.duration_ms <= 10_000
        assert (outcome.status, outcome.answer) == (None, None)
        receiver.answer = lambda _: raw(b"SSH-2.0\r\n")
        assert make(receiver.url()).send(DUE).reason is DeliveryReason.BAD_ANSWER
    assert make(receiver.url()).send(DUE).reason is DeliveryReason.CONNECTION_REFUSED


def test_an_address_that_is_not_allowed_is_never_dialed(make: MakeSender) -> None:
    outcome = make("http://169.254.169.254/").send(DUE)
    assert (outcome.kind, outcome.reason) == (Kind.FAILURE, DeliveryReason.ADDRESS_NOT_ALLOWED)


def test_a_fault_of_ours_is_a_failed_attempt_too(
    make: MakeSender, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(DUE, facts=replace(FACTS, received_ms=None))  # type: ignore[arg-type]  # the fault
    with caplog.at_level(logging.ERROR), Receiver() as receiver:
        outcome = make(receiver.url()).send(broken)
    assert (outcome.kind, outcome.reason) == (Kind.FAILURE, DeliveryReason.INTERNAL_ERROR)
    assert "failed inside" in caplog.text
