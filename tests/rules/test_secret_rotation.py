"""A new signing secret: for a day both sign, and a receiver may change at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as StandardWebhook

from tests.delivery.lanes_world import Sending, sending
from tests.support.application import make_company, make_webhook, rows, store_of
from tests.support.receiver import Received, Receiver
from webhookproxy.events.contract import signature
from webhookproxy.models.signing_secrets import end_rotation, rotate_secret
from webhookproxy.models.webhooks import edit_webhook, find_webhook
from webhookproxy.rules import Refused

OLD = "canary-old-secret-0001"
NEW = "canary-new-secret-0002"
URL = "http://127.0.0.1:4009/hook"
HOUR = 3600.0


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def rotate(app: Flask, webhook: int, new: str | None = None) -> str:
    return store_of(app).session(
        lambda session: rotate_secret(session, find_webhook(session, webhook), new)
    )


def finish(app: Flask, webhook: int) -> bool:
    return store_of(app).session(
        lambda session: end_rotation(session, find_webhook(session, webhook))
    )


def previous(app: Flask) -> tuple[bool, bool]:
    """Return whether the old secret, and its end, are stored."""
    (row,) = rows(app, "SELECT previous_secret, previous_secret_until FROM webhooks")
    return row[0] is not None, row[1] is not None


def by(secret: str, request: Received) -> bool:
    """Return whether a receiver written after the guide, with this secret, accepts the request."""
    return request.headers["X-Signature-SHA256"] == signature(secret, request.body)


def by_next(secret: str, request: Received) -> bool:
    """Return whether a receiver that reads the header of a rotation accepts the request."""
    return request.headers.get("X-Signature-SHA256-Next") == signature(secret, request.body)


def by_library(secret: str, request: Received) -> bool:
    """Return whether a receiver with a Standard Webhooks library accepts the request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        StandardWebhook(secret.encode()).verify(request.body, headers)
    except Exception:
        return False
    return True


def checks(secret: str, request: Received) -> tuple[bool, bool, bool]:
    return by(secret, request), by_next(secret, request), by_library(secret, request)


@pytest.fixture
def half(app: Flask) -> Iterator[Sending]:
    with sending(app) as half:
        yield half


def sent(half: Sending, receiver: Receiver) -> Received:
    """Return the POST of another event."""
    half.notice()
    # A lane that reads its queue again may send the event before `arrive` returns.
    before = len(receiver.requests)
    half.arrive(1)
    return receiver.wait_for(before + 1)[-1]


def test_for_a_day_both_secrets_sign_and_after_it_the_new_one_alone(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret=OLD)
        assert checks(OLD, sent(half, receiver)) == (True, False, True)
        assert rotate(half.app, webhook, NEW) == NEW
        request = sent(half, receiver)
        assert checks(OLD, request) == (True, False, True)
        assert checks(NEW, request) == (False, True, True)
        half.skew = 23.9 * HOUR
        assert by(OLD, sent(half, receiver))
        # The lane gets no message: it notices by itself.
        half.skew = 24.1 * HOUR
        request = sent(half, receiver)
        assert by(NEW, request)
        assert "X-Signature-SHA256-Next" not in request.headers
        assert len(request.headers["webhook-signature"].split()) == 1


def test_who_has_changed_the_receiver_need_not_wait(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret=OLD)
        rotate(half.app, webhook, NEW)
        assert finish(half.app, webhook)
        assert checks(NEW, sent(half, receiver)) == (True, False, True)
    assert not finish(half.app, webhook)
    assert previous(half.app) == (False, False)


def test_of_three_secrets_within_a_day_the_last_two_sign(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret="canary-first-secret")
        rotate(half.app, webhook, OLD)
        rotate(half.app, webhook, NEW)
        request = sent(half, receiver)
    assert checks(OLD, request) == (True, False, True)
    assert checks(NEW, request) == (False, True, True)
    assert not by_library("canary-first-secret", request)


def test_a_made_secret_is_long_random_and_stored_encrypted(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), URL, secret=OLD)
    first, second = rotate(app, webhook), rotate(app, webhook)
    assert len(first) == len(second) == 43
    assert first != second
    (row,) = rows(app, "SELECT secret, previous_secret, previous_secret_until FROM webhooks")
    assert row[0].startswith("f1:")
    assert row[1].startswith("f1:")
    ends = datetime.fromtimestamp(row[2] / 1000, UTC) - datetime.now(UTC)
    assert timedelta(hours=23.9) < ends <= timedelta(hours=24)


@pytest.mark.parametrize(
    ("secret", "new", "part"),
    [
        (None, None, "no secret to replace"),
        (OLD, OLD, "in use already"),
        (OLD, "", "empty"),
        (OLD, "line\nbreak", "line breaks"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused(
    app: Flask, secret: str | None, new: str | None, part: str
) -> None:
    webhook = make_webhook(app, make_company(app), URL, secret=secret)
    with pytest.raises(Refused, match=part) as caught:
        rotate(app, webhook, new)
    assert "canary" not in str(caught.value)
    assert previous(app) == (False, False)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"name": "other"}, True),
        ({"url": "http://127.0.0.1:4009/other"}, True),
        ({"url": "http://127.0.0.2:4009/hook"}, False),
        ({"secret": "canary-typed-by-hand"}, False),
        ({"secret": None}, False),
    ],
)
def test_an_edit_ends_a_rotation_if_it_sets_the_secret_or_the_host(
    app: Flask, fields: dict[str, Any], kept: bool
) -> None:
    webhook = make_webhook(app, make_company(app), URL, secret=OLD)
    rotate(app, webhook, NEW)

    def job(session: Session) -> None:
        found = find_webhook(session, webhook)
        edit_webhook(session, found, replace(found.input(), **fields), app.extensions["policy"])

    store_of(app).session(job)
    assert previous(app) == (kept, kept)
