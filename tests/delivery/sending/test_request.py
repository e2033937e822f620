"""How a request is shown, and the command that repeats it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest
from gevent import subprocess
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.delivery.lanes_world import Sending
from tests.delivery.waiting.window_rows import FACTS, NOW_MS
from tests.support.application import rows
from tests.support.receiver import Receiver
from webhookproxy.delivery.sending.body import Body, standard_body
from webhookproxy.delivery.sending.request import (
    ShownRequest,
    curl_command,
    shown_request,
    stored_request,
)
from webhookproxy.models.deliveries.tables import Delivery, Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules import Refused
from webhookproxy.version import __version__

URL = "https://crm.example.com/hook?key=[a]&b={c}&d='"
# What shells, curl and printf would each like to read as something else.
AWKWARD = r"""{"a":"'\"'$HOME `id` \\ %s %d ! # \n é 漢 😀 @file","b":"\\u0000"}"""


def webhook_with(**fields: str | None) -> Webhook:
    return Webhook(**{"id": 1, "url": URL, "authorization": None, "secret": None, **fields})


def due_with(payload: str) -> Due:
    facts = replace(FACTS, payload=payload)
    return Due(1, 1, "k", 0, 0, NOW_MS, None, None, facts)


def shown_first(webhook: Webhook) -> ShownRequest:
    due = due_with("{}")
    return shown_request(webhook, due, Body(standard_body(due)), attempt=1)


def run(command: str, **variables: str) -> None:
    """Run a command as if it were pasted into a shell."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    done = subprocess.run(
        ["sh"],
        input=command.encode(),
        env=environment,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_secret_is_hidden_and_the_rest_is_exact() -> None:
    webhook = webhook_with(
        authorization="canary-key", secret="canary-secret", headers="X-Api-Key: canary-own"
    )
    due = due_with("{}")
    shown = shown_request(
        webhook, due, Body(standard_body(due)), attempt=3, sent_ms=1_700_000_000_999
    )
    assert (shown.method, shown.url) == ("POST", URL)
    assert shown.body.encode() == standard_body(due)
    assert shown.headers == (
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer …"),
        ("X-Signature-SHA256", "…"),
        ("webhook-id", "evt_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "…"),
        ("X-Webhook-Event", "call-was-created"),
        ("X-Webhook-Attempt", "3"),
        ("Accept", "application/json, */*;q=0.8"),
        ("User-Agent", f"webhookproxy/{__version__}"),
        ("X-Api-Key", "…"),
    )
    assert "canary" not in str(shown) + curl_command(shown)


def test_what_is_not_set_has_no_header_and_needs_no_variable() -> None:
    shown = shown_first(webhook_with())
    names = [name for name, _ in shown.headers]
    assert names == ["Content-Type", "X-Webhook-Event", "X-Webhook-Attempt", "Accept", "User-Agent"]
    assert "$" not in curl_command(shown)
    assert "#" not in curl_command(shown)


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [("Basic Y2FuYXJ5", "Basic …"), ("bearer canary", "bearer …"), ("canary of two words", "…")],
)
def test_only_a_known_scheme_is_shown(authorization: str, shown: str) -> None:
    request = shown_first(webhook_with(authorization=authorization))
    assert dict(request.headers)["Authorization"] == shown


def test_the_time_of_a_request_that_was_not_sent_is_left_open() -> None:
    request = shown_first(webhook_with(secret="s"))
    assert dict(request.headers)["webhook-timestamp"] == "…"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("payload", [AWKWARD, f'"{"x" * 300_000}"', '"line\n\nbreaks\n"'])
def test_the_command_sends_the_same_bytes_whatever_they_are(payload: str) -> None:
    due = due_with(payload)
    with Receiver() as receiver:
        webhook = webhook_with(
            url=receiver.url("/a?b=[1-3]&c={x,y}&d='"),
            authorization="k",
            secret="s",
            # A shell runs what stands between these marks.
            headers="X-`touch-it`$X-Key: v",
        )
        command = curl_command(shown_request(webhook, due, Body(standard_body(due)), attempt=2))
        variable = "HEADER_X__TOUCH_IT__X_KEY"
        values = {"AUTHORIZATION": 'Bearer a"$b', "WEBHOOK_SIGNATURE": "v1,x y", variable: "a b"}
        run(command, **values)
        (received,) = receiver.wait_for(1)
    assert received.body == standard_body(due)
    assert (received.method, received.path) == ("POST", "/a?b=[1-3]&c={x,y}&d='")
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Authorization"] == 'Bearer a"$b'
    assert received.headers["webhook-signature"] == "v1,x y"
    assert received.headers["X-`touch-it`$X-Key"] == "a b"
    assert received.headers["X-Webhook-Attempt"] == "2"
    assert received.headers["User-Agent"].startswith("webhookproxy/")


def test_a_stored_delivery_is_shown_with_the_time_of_its_attempt(any_half: Sending) -> None:
    half = any_half

    def shown(session: Session) -> ShownRequest:
        return stored_request(session, session.scalars(select(Delivery)).one())

    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret="s" * 32)
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        request = half.store.session(shown)
        (received,) = receiver.requests
    assert request.body.encode() == received.body
    for name, value in request.headers:
        assert value in ("…", received.headers[name])
    assert dict(request.headers)["webhook-timestamp"] == received.headers["webhook-timestamp"]
    half.delete(webhook)
    while rows(half.app, "SELECT 1 FROM webhooks"):
        half.housekeeping.step()
    with pytest.raises(Refused, match="no longer kept"):
        half.store.session(shown)
