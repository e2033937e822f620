"""A webhook that is resumed without what waited for it, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.delivery.acting import ACCEPTED, ids
from tests.delivery.lanes_world import Sending, first, numbers
from tests.delivery.test_changed_meanwhile import slow
from tests.support.application import rows, wait_until
from tests.support.receiver import Receiver
from webhookproxy.housekeeping import purge
from webhookproxy.models.deliveries.actions import Resent, Tried, resend, resume_webhook, try_now
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

GONE = ("cancelled", "discarded")
DELIVERED = ("delivered", "accepted")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 4)


def resume(half: Sending, webhook: int, *, discard: bool) -> bool:
    def job(session: Session) -> bool:
        return resume_webhook(session, find_webhook(session, webhook), discard=discard)

    return half.store.session(job)


def sweep(half: Sending) -> None:
    wait_until(lambda: not half.housekeeping.step(), 20, "housekeeping has nothing to do")


def test_what_waited_is_not_sent_and_what_comes_after_is(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(10)
        assert resume(half, webhook, discard=True)
        half.notice()
        half.arrive(3)
        half.wait_for_ends(webhook, 3)
        # Nothing of it was sent although no batch has ended it yet.
        assert half.states(webhook) == [("queued", "waiting_turn")] * 10 + [DELIVERED] * 3
        assert half.housekeeping.step()
        assert half.states(webhook).count(GONE) == 4
        sweep(half)
        assert half.states(webhook) == [GONE] * 10 + [DELIVERED] * 3
        assert len(receiver.requests) == 3
        assert rows(half.app, "SELECT discard_until FROM webhooks") == [(None,)]
    half.check_totals(webhook)


def test_what_arrived_before_the_lane_hears_of_it_is_sent_too(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(5)
        resume(half, webhook, discard=True)
        half.arrive(2)
        half.notice()
        half.wait_for_ends(webhook, 2)
        sweep(half)
        assert half.states(webhook) == [GONE] * 5 + [DELIVERED] * 2
        assert len(receiver.requests) == 2


def test_a_second_click_discards_nothing_more(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(1)
        assert resume(half, webhook, discard=True)
        half.arrive(1)
        assert not resume(half, webhook, discard=True)
        half.notice()
        half.wait_for_ends(webhook, 1)
        sweep(half)
        assert half.states(webhook) == [GONE, DELIVERED]


def test_without_discard_everything_that_waited_is_sent(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(10, key="k")
        assert resume(half, webhook, discard=False)
        half.notice()
        half.wait_for_ends(webhook, 10)
        start = first(receiver.requests)
        assert numbers(receiver.requests) == list(range(start, start + 10))


def test_nothing_is_sent_after_a_crash_before_the_batches_either(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED, parallelism=1)
        half.arrive(6)
        resume(half, webhook, discard=True)
        half.crash()
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        sweep(half)
        assert half.states(webhook) == [GONE] * 6 + [DELIVERED]
        assert len(receiver.requests) == 1
    half.check_totals(webhook)


def test_what_was_discarded_may_be_resent_once_all_of_it_is(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(5)
        resume(half, webhook, discard=True)
        half.notice()
        one, *_, five = ids(half, webhook)
        assert half.housekeeping.step()
        with pytest.raises(Refused, match="still being discarded") as refused:
            half.act(resend, one)
        assert "descartadas" in refused.value.problems[0].portuguese
        assert half.act(try_now, five).outcome is Tried.ALREADY_ENDED
        sweep(half)
        # The end of the discarding and the wish may be heard of in one look at the changes.
        assert half.act(resend, one) is Resent.QUEUED
        half.notice()
        half.wait_for_ends(webhook, 5)
        assert half.states(webhook) == [DELIVERED] + [GONE] * 4
        assert len(receiver.requests) == 1


def test_the_end_of_the_discarding_leaves_the_version_alone(half: Sending) -> None:
    webhook = half.webhook("http://127.0.0.1:9999/", state=WebhookState.PAUSED)
    half.store_events(1)
    resume(half, webhook, discard=True)
    half.notice()
    before = rows(half.app, "SELECT version FROM webhooks")
    sweep(half)
    assert rows(half.app, "SELECT version FROM webhooks") == before
    lane = half.lanes.lane(webhook)
    assert lane is not None
    half.notice()
    assert lane._backlog.discard_until == 0


def test_resuming_without_discard_goes_on_with_an_earlier_discarding(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.PAUSED)
        half.arrive(6)
        resume(half, webhook, discard=True)
        half.switch(webhook, WebhookState.PAUSED)
        half.arrive(2)
        resume(half, webhook, discard=False)
        half.notice()
        half.wait_for_ends(webhook, 2)
        sweep(half)
        assert half.states(webhook) == [GONE] * 6 + [DELIVERED] * 2
    half.check_totals(webhook)


def test_what_is_in_hand_when_it_would_be_discarded_ends_as_its_receiver_says(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = any_half
    webhook = half.webhook("http://127.0.0.1:9999/")
    send = slow(half, webhook, ACCEPTED, monkeypatch)
    half.switch(webhook, WebhookState.PAUSED)
    half.arrive(2)
    resume(half, webhook, discard=True)
    half.notice()
    sweep(half)
    assert half.states(webhook) == [("queued", "waiting_turn"), GONE, GONE]
    send.answer.set()
    half.wait_for_ends(webhook, 3)
    assert half.lanes.results.drain(20)
    sweep(half)
    assert half.states(webhook) == [DELIVERED, GONE, GONE]
    assert rows(half.app, "SELECT discard_until FROM webhooks") == [(None,)]
    half.check_totals(webhook)
