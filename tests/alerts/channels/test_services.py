"""What each service is sent, and what its refusals mean, with stand-ins on loopback."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.support.receiver import OK, Behaviour, Plain, Received, Receiver, endless, hang, raw
from webhookproxy.alerts.channels import Channels, posting
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.events.contract import whsec
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client
from webhookproxy.reasons import AlertError

BOT = "123456789:canary-bot-token-AAAAAAAAAAAAAAAA"
CHAT = "-1001234567890"
SECRET = "canary-signing-secret"
TOLD = Message(
    id="alert_1.opened",
    kind="alert.opened",
    subject="Padaria <!channel> & Cia: token recusado",
    lines=("O token da 3C Plus foi recusado.", "Desde 16:18."),
    link="https://relay.example/empresas/1",
    data={"condition": "token_refused", "company": "Padaria"},
)
TEXT = "O token da 3C Plus foi recusado.\nDesde 16:18.\n\nhttps://relay.example/empresas/1"


@pytest.fixture
def channels(receiver: Receiver) -> Iterator[Channels]:
    base = receiver.url("")
    settings = {
        "SMTP_URL": None,
        "SMTP_FROM": "",
        "TELEGRAM_URL": base,
        "SLACK_URL": base,
        "NTFY_URL": base,
    }
    http = Client(Policy(allow_private=True), Resolver(), max_idle=0)
    yield Channels(settings, http)
    http.close()


def target_of(kind: str, receiver: Receiver) -> str:
    targets = {
        "telegram": f"{BOT} {CHAT}",
        "slack": receiver.url("/services/T0/B0/canary-path"),
        "ntfy": "canary-topic",
        "webhook": receiver.url("/hook?key=canary-key"),
    }
    return targets[kind]


def sent(channels: Channels, kind: str, receiver: Receiver, told: Message = TOLD) -> Received:
    channels.send(kind, target_of(kind, receiver), SECRET, told)
    return receiver.requests[-1]


def refusal(channels: Channels, kind: str, target: str) -> NotSent:
    with pytest.raises(NotSent) as caught:
        channels.send(kind, target, SECRET, TOLD)
    # Nothing that the other side said, no address and no secret.
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def body(got: Received) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(got.body)
    return content


def test_telegram_gets_a_message_for_its_chat(channels: Channels, receiver: Receiver) -> None:
    got = sent(channels, "telegram", receiver)
    assert got.path == f"/bot{BOT}/sendMessage"
    assert body(got)["chat_id"] == CHAT
    assert body(got)["text"] == f"{TOLD.subject}\n\n{TEXT}"


def test_slack_gets_a_text_that_calls_no_one(channels: Channels, receiver: Receiver) -> None:
    got = sent(channels, "slack", receiver)
    assert got.path == "/services/T0/B0/canary-path"
    subject = "Padaria &lt;!channel&gt; &amp; Cia: token recusado"
    assert body(got)["text"] == f"{subject}\n\n{TEXT}"


def test_ntfy_gets_title_text_and_link(channels: Channels, receiver: Receiver) -> None:
    got = sent(channels, "ntfy", receiver)
    assert (got.path, got.headers["Content-Type"]) == ("/", "application/json")
    assert body(got) == {
        "topic": "canary-topic",
        "title": TOLD.subject,
        "message": TEXT,
        "click": TOLD.link,
    }
    assert "Authorization" not in got.headers
    channels.send("ntfy", "canary-topic tk_canary", None, TOLD)
    got = receiver.requests[-1]
    assert (body(got)["topic"], got.headers["Authorization"]) == (
        "canary-topic",
        "Bearer tk_canary",
    )


def test_our_own_post_is_signed_and_has_the_facts(channels: Channels, receiver: Receiver) -> None:
    got = sent(channels, "webhook", receiver)
    headers = {name.lower(): value for name, value in got.headers.items()}
    content = Webhook(whsec(SECRET)).verify(got.body, headers)
    assert content["type"] == "alert.opened"
    assert content["data"] == {
        "condition": "token_refused",
        "company": "Padaria",
        "subject": TOLD.subject,
        "text": TEXT,
        "link": TOLD.link,
    }
    assert got.headers["webhook-id"] == TOLD.id


@pytest.mark.parametrize("kind", ["telegram", "slack", "ntfy", "webhook"])
def test_a_long_text_with_odd_characters_is_cut(
    kind: str, channels: Channels, receiver: Receiver
) -> None:
    told = replace(TOLD, subject="Padaria\r\nX: 1\ud800", lines=("ação 😀\x00" * 2000,))
    got = sent(channels, kind, receiver, told)
    text = got.body.decode()
    assert "Padaria  X: 1" in text
    assert "\\ud800" not in text
    assert "\\u0000" not in text
    content = body(got)
    message = content.get("text") or content.get("message") or content["data"]["text"]
    assert len(message.encode()) <= 4_000
    assert message.endswith("…\n\nhttps://relay.example/empresas/1")


REFUSED = b'{"ok":false,"description":"canary-answer"}'


@pytest.mark.parametrize(
    ("kind", "status", "reason", "is_final"),
    [
        ("telegram", 403, AlertError.BOT_BLOCKED, True),
        ("telegram", 401, AlertError.BOT_UNKNOWN, True),
        ("telegram", 404, AlertError.BOT_UNKNOWN, True),
        ("telegram", 400, AlertError.CHAT_NOT_FOUND, True),
        ("telegram", 409, AlertError.REFUSED, True),
        ("telegram", 502, AlertError.FAILING, False),
        ("slack", 403, AlertError.SLACK_REMOVED, True),
        ("slack", 404, AlertError.SLACK_REMOVED, True),
        ("slack", 410, AlertError.SLACK_REMOVED, True),
        ("slack", 302, AlertError.FAILING, False),
        ("ntfy", 403, AlertError.TOPIC_REFUSED, True),
        ("ntfy", 507, AlertError.FAILING, False),
        ("webhook", 410, AlertError.GONE, True),
        ("webhook", 404, AlertError.REFUSED, False),
        ("webhook", 408, AlertError.FAILING, False),
        ("webhook", 503, AlertError.FAILING, False),
    ],
)
def test_each_refusal_has_its_meaning(
    kind: str,
    status: int,
    reason: AlertError,
    is_final: bool,
    channels: Channels,
    receiver: Receiver,
) -> None:
    receiver.answer = (status, {"Location": "https://canary.example/"}, REFUSED)
    error = refusal(channels, kind, target_of(kind, receiver))
    assert (error.reason, error.is_final, len(receiver.requests)) == (reason, is_final, 1)


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        ((429, {"Retry-After": "30"}, b""), 30.0),
        ((429, {}, b'{"ok":false,"parameters":{"retry_after":35}}'), 35.0),
        ((429, {"Retry-After": "999999999"}, b""), posting.AFTER_MAX),
        ((429, {"Retry-After": "-5"}, b""), posting.AFTER_MIN),
        ((429, {"Retry-After": "nan"}, b""), None),
        ((429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""), None),
        ((429, {}, b'{"parameters":[{}]}'), None),
        ((429, {}, b"[" * 9000), None),
        ((429, {}, b""), None),
    ],
)
def test_a_service_says_how_long_to_wait_within_bounds(
    answer: Plain, after: float | None, channels: Channels, receiver: Receiver
) -> None:
    receiver.answer = answer
    error = refusal(channels, "telegram", target_of("telegram", receiver))
    assert (error.reason, error.is_final, error.after_s) == (AlertError.THROTTLED, False, after)


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (hang(), AlertError.TOO_SLOW),
        (endless(b"H", every=0.02), AlertError.TOO_SLOW),
        (raw(b"220 mail.example\r\n"), AlertError.NOT_UNDERSTOOD),
        (raw(b""), AlertError.CONNECTION_LOST),
    ],
)
def test_a_server_that_is_no_service_ends_in_a_reason(
    greeting: Behaviour,
    reason: AlertError,
    channels: Channels,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.1 if reason is AlertError.TOO_SLOW else 10.0)
    receiver.greeting = greeting
    error = refusal(channels, "ntfy", "canary-topic tk_canary")
    assert (error.reason, error.is_final) == (reason, False)


def test_a_kept_connection_that_was_closed_costs_no_message(receiver: Receiver) -> None:
    def answer(got: Received) -> Plain | Behaviour:
        # The second request of a connection meets its end.
        return OK if got.number != 2 else raw(b"")

    receiver.answer = answer
    http = Client(Policy(allow_private=True), Resolver())
    channels = Channels({"NTFY_URL": receiver.url("")}, http)
    for _ in range(2):
        channels.send("ntfy", "topic", None, TOLD)
    http.close()
    assert [got.connection for got in receiver.requests] == [1, 1, 2]


def test_what_is_stored_and_cannot_be_used_ends_in_a_reason(
    channels: Channels, receiver: Receiver
) -> None:
    assert refusal(channels, "email", "ana@exemplo.com.br").reason == AlertError.NO_CHANNEL
    assert refusal(channels, "pigeon", "canary").reason == AlertError.INTERNAL
    metadata = refusal(channels, "webhook", "http://169.254.169.254/canary")
    assert (metadata.reason, metadata.is_final) == (AlertError.ADDRESS_NOT_ALLOWED, True)
    receiver.answer = OK
    assert sent(channels, "ntfy", receiver).method == "POST"
