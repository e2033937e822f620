"""A webhook's events in the format that it asks for, while people change it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from tests.delivery.acting import ids
from tests.delivery.lanes_world import Sending
from tests.support.application import rows
from tests.support.receiver import OK, Behaviour, Plain, Received, Receiver, hang
from webhookproxy.events.formats.definition import Encoding, Format, FormatKind
from webhookproxy.models.deliveries.actions import resend
from webhookproxy.models.deliveries.tables import Delivery

NATIVE = Format(FormatKind.NATIVE)
PAYLOAD = Format(FormatKind.PAYLOAD)
SECRET = "s" * 32


def native_receiver(got: Received) -> Plain:
    """Answer as a receiver of the platform's own webhook: `{"<event>": {…}}`, and nothing else."""
    body: dict[str, Any] = json.loads(got.body)
    ((event, payload),) = body.items()
    is_json = got.headers["Content-Type"] == "application/json"
    return OK if is_json and event and isinstance(payload, dict) else (422, {}, b"")


def socket2webhook_receiver(got: Received) -> Plain:
    """Answer as a receiver of socket2webhook: its four fields, in their types."""
    body: dict[str, Any] = json.loads(got.body)
    fits = list(body) == ["event_type", "company_id", "timestamp", "data"]
    texts = all(isinstance(body[each], str) for each in list(body)[:3])
    return OK if fits and texts and isinstance(body["data"], dict) else (422, {}, b"")


def test_receivers_that_were_written_for_others_accept_our_posts(any_half: Sending) -> None:
    half = any_half
    with Receiver(native_receiver) as native, Receiver(socket2webhook_receiver) as socket:
        first = half.webhook(native.url(), format=NATIVE, secret=SECRET)
        other = half.webhook(socket.url(), format=Format(FormatKind.SOCKET2WEBHOOK))
        half.arrive(3)
        half.wait_for_ends(first, 3)
        half.wait_for_ends(other, 3)
        assert {state for state, _ in half.states(first) + half.states(other)} == {"delivered"}
    for got in native.requests:
        signed = hmac.new(SECRET.encode(), got.body, hashlib.sha256).hexdigest()
        assert got.headers["X-Signature-SHA256"] == signed
        assert got.headers["X-Webhook-Event-Id"] == got.headers["webhook-id"]
    assert socket.requests[0].headers["X-Webhook-Company-Id"] == f"company_{half.company}"


def test_an_edit_between_two_attempts_keeps_the_bytes(any_half: Sending) -> None:
    half = any_half
    answers = iter([(503, {}, b""), OK, OK, OK, OK])
    with Receiver(lambda _: next(answers)) as receiver:
        webhook = half.webhook(receiver.url(), format=NATIVE)
        half.execute("UPDATE webhooks SET parallelism = 1")
        half.arrive(1)
        half.wait_for("SELECT 1 FROM attempts")
        half.edit(webhook, format=PAYLOAD)
        half.wait_for_ends(webhook, 1)
        one, two = receiver.requests
        assert one.body == two.body
        assert one.body.startswith(b'{"call')
        half.arrive(1)
        half.wait_for_ends(webhook, 2)
        assert receiver.requests[2].body != one.body

        def in_newest(session: Session, delivery: Delivery) -> object:
            return resend(session, delivery, in_newest_format=True)

        (delivery, _) = ids(half, webhook)
        half.act(resend, delivery)
        half.notice()
        assert receiver.wait_for(4)[3].body == one.body
        half.wait_for_ends(webhook, 2)
        half.act(in_newest, delivery)
        half.notice()
        again = receiver.wait_for(5)[4]
        half.wait_for_ends(webhook, 2)
    assert again.body in one.body
    assert again.headers["X-Webhook-Event-Id"] == one.headers["X-Webhook-Event-Id"]
    query = "SELECT format_number FROM attempts WHERE delivery_id = :id ORDER BY number"
    assert [row[0] for row in rows(half.app, query, id=delivery)] == [1, 1, 1, 2]


def test_a_crash_in_the_first_attempt_after_an_edit_keeps_the_bytes(any_half: Sending) -> None:
    half = any_half
    answers: Iterator[Plain | Behaviour] = iter([hang(), OK, OK])
    with Receiver(lambda _: next(answers)) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        receiver.wait_for(1)
        half.edit(webhook, format=NATIVE)
        half.wait_for("SELECT 1 FROM deliveries WHERE format_number = 0")
        half.crash()
        half.wait_for_ends(webhook, 1)
        half.arrive(1)
        half.wait_for_ends(webhook, 2)
    one, two, three = receiver.requests
    assert one.body == two.body
    assert list(json.loads(one.body)) == ["event", "payload", "meta"]
    assert list(json.loads(three.body)) == ["call-was-created"]


def test_what_began_in_the_default_format_stays_in_it(any_half: Sending) -> None:
    half = any_half
    answers = iter([(503, {}, b""), OK])
    with Receiver(lambda _: next(answers)) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for("SELECT 1 FROM attempts")
        half.edit(webhook, format=NATIVE)
        half.wait_for_ends(webhook, 1)
    one, two = receiver.requests
    assert one.body == two.body
    assert list(json.loads(one.body)) == ["event", "payload", "meta"]


def test_what_cannot_be_rendered_is_not_sent_and_is_resent_after_the_mending(
    any_half: Sending,
) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), format=Format(FormatKind.CALL))
        half.arrive(1, name="agent-is-idle")
        half.wait_for_ends(webhook, 1)
        assert half.states(webhook) == [("refused", "unrenderable")]
        assert not receiver.requests
        half.edit(webhook, format=Format(FormatKind.PAYLOAD, Encoding.FORM))
        half.act(resend, ids(half, webhook)[0])
        half.notice()
        (got,) = receiver.wait_for(1)
        half.wait_for_ends(webhook, 1)
        assert half.states(webhook) == [("delivered", "accepted")]
    assert got.headers["Content-Type"] == "application/x-www-form-urlencoded"
