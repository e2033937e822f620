"""Deliveries that a user wants tried now."""

from __future__ import annotations

import pytest

from tests.delivery.acting import (
    BUSY,
    URL,
    check_waiting,
    ids,
    never_again,
    wait_for_attempts,
)
from tests.delivery.lanes_world import Sending, numbers
from tests.support.application import rows
from tests.support.receiver import OK, Plain, Receiver
from webhookproxy.delivery.lanes import pace
from webhookproxy.models.deliveries.actions import Cancelled, Resent, Tried, cancel, resend, try_now
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState


def test_what_is_tried_now_is_sent_now_and_nothing_else_is(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    half = any_half
    with Receiver(lambda each: OK if each.number > 2 else BUSY) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(2)
        wait_for_attempts(half, 2)
        one, two = ids(half, webhook)
        found = half.act(try_now, two)
        assert (found.outcome, found.delivery_id) == (Tried.ITSELF, two)
        half.notice()
        half.wait_for_ends(webhook, 1)
        assert [state for state, _ in half.states(webhook)] == ["retrying", "delivered"]
        assert half.act(try_now, two).outcome is Tried.ALREADY_ENDED
        assert half.act(cancel, two) is Cancelled.ALREADY_ENDED
        assert half.act(resend, one) is Resent.ALREADY_WAITING
        check_waiting(half, webhook)


@pytest.mark.parametrize(("parallelism", "keys"), [(8, ("k", "k")), (1, ("k", "l"))])
def test_an_earlier_one_of_the_key_is_tried_instead(
    half: Sending, parallelism: int, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    with Receiver(lambda each: OK if each.number > 1 else BUSY) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=parallelism)
        for key in keys:
            half.arrive(1, key=key)
        wait_for_attempts(half, 1)
        one, two = ids(half, webhook)
        found = half.act(try_now, two)
        assert (found.outcome, found.delivery_id) == (Tried.EARLIER, one)
        half.notice()
        half.wait_for_ends(webhook, 2)
        start = min(numbers(receiver.requests))
        assert [each - start for each in numbers(receiver.requests)] == [0, 0, 1]


def test_with_an_open_circuit_it_is_the_probe_and_leaves_the_schedule_alone(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    half = any_half
    with Receiver(BUSY) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        wait_for_attempts(half, 8)
        assert half.lanes.results.drain(20)
        health, last = half.health(webhook), ids(half, webhook)[-1]
        for count in (9, 10):
            half.act(try_now, last)
            half.notice()
            wait_for_attempts(half, count)
        query = "SELECT number FROM attempts WHERE delivery_id = :id AND probe"
        assert [row[0] for row in rows(half.app, query, id=last)] == [2, 3]
        after = half.health(webhook)
        assert after.failed_probes == health.failed_probes
        assert abs(after.next_probe_at - health.next_probe_at) < 2_000
        # Two wishes at once are two probes, and one that is accepted lets all of them go.
        receiver.answer = OK
        for delivery in ids(half, webhook)[:2]:
            half.act(try_now, delivery)
        half.notice()
        half.wait_for_ends(webhook, 8)
        assert len(receiver.requests) == 18
        check_waiting(half, webhook)


def test_whoever_asks_now_does_not_wait_for_a_retry_after(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    monkeypatch.setattr(pace, "SLOWEST", 20.0)
    first: Plain = (429, {"Retry-After": "600"}, b"")
    with Receiver(lambda each: OK if each.number > 1 else first) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        wait_for_attempts(half, 1)
        half.act(try_now, ids(half, webhook)[0])
        half.notice()
        half.wait_for_ends(webhook, 1)


def test_a_paused_webhook_is_not_tried_and_says_so_in_both_languages(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    half.store_events(1)
    with pytest.raises(Refused, match="is paused") as refused:
        half.act(try_now, ids(half, webhook)[0])
    assert "pausado" in refused.value.problems[0].portuguese
