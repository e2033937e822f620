"""Cancelled deliveries, also while they are being sent."""

from __future__ import annotations

import pytest

from tests.delivery.acting import (
    ACCEPTED,
    BUSY,
    FAILED,
    URL,
    check_waiting,
    ids,
    never_again,
    wait_for_attempts,
)
from tests.delivery.lanes_world import Sending
from tests.delivery.test_changed_meanwhile import Slow, slow
from tests.support.application import rows
from tests.support.receiver import OK, Receiver
from webhookproxy.models.deliveries.actions import Cancelled, cancel, resend


def test_a_cancelled_delivery_is_not_sent_and_its_key_goes_on(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    half = any_half
    with Receiver(lambda each: OK if each.number > 1 else BUSY) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(3, key="k")
        wait_for_attempts(half, 1)
        one, _, three = ids(half, webhook)
        for delivery in (one, three):
            assert half.act(cancel, delivery) is Cancelled.CANCELLED
        half.notice()
        half.wait_for_ends(webhook, 3)
        gone = ("cancelled", "discarded")
        assert half.states(webhook) == [gone, ("delivered", "accepted"), gone]
        assert len(receiver.requests) == 2
    half.check_totals(webhook)


def test_what_is_in_hand_when_it_is_cancelled_ends_as_its_receiver_says(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = any_half
    webhook = half.webhook(URL)
    send = slow(half, webhook, ACCEPTED, monkeypatch)
    assert half.act(cancel, ids(half, webhook)[0]) is Cancelled.CANCELLED
    assert half.health(webhook).cancelled == 1
    half.notice()
    send.answer.set()
    half.wait_for("SELECT 1 FROM deliveries WHERE state = 'delivered'")
    half.check_totals(webhook)


def test_what_fails_after_it_was_cancelled_stays_so_and_may_be_resent(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    half = any_half
    webhook = half.webhook(URL, parallelism=1)
    send = slow(half, webhook, FAILED, monkeypatch)
    half.arrive(1, key="other")
    one, _ = ids(half, webhook)
    half.act(cancel, one)
    half.notice()
    again = Slow(ACCEPTED)
    lane = half.lanes.lane(webhook)
    assert lane is not None
    monkeypatch.setattr(lane._settings.sender, "send", again)
    again.answer.set()
    send.answer.set()
    half.wait_for_ends(webhook, 2)
    assert half.states(webhook) == [("cancelled", "discarded"), ("delivered", "accepted")]
    half.check_totals(webhook)
    half.act(resend, one)
    half.notice()
    half.wait_for(f"SELECT 1 FROM deliveries WHERE id = {one} AND state = 'delivered'")
    query = "SELECT number, status FROM attempts WHERE delivery_id = :id ORDER BY number"
    assert [tuple(row) for row in rows(half.app, query, id=one)] == [(1, 500), (2, 200)]
    check_waiting(half, webhook)
