"""Deliveries that are resent while the lanes run."""

from __future__ import annotations

import gevent
import pytest

from tests.delivery.acting import (
    BUSY,
    URL,
    check_waiting,
    ids,
    never_again,
    wait_for_attempts,
)
from tests.delivery.lanes_world import Sending, attempt, numbers
from tests.support.application import rows
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.database.store import Store
from webhookproxy.models.deliveries.actions import Resent, Tried, resend, try_now
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState


def test_a_resent_delivery_comes_again_with_the_same_bytes_and_the_next_number(
    any_half: Sending,
) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret="s" * 32)
        half.arrive(2)
        half.wait_for_ends(webhook, 2)
        delivery = ids(half, webhook)[0]
        assert half.act(resend, delivery) is Resent.QUEUED
        query = "SELECT state, reason, tries, ended_ms, status FROM deliveries WHERE id = :id"
        (row,) = rows(half.app, query, id=delivery)
        assert tuple(row) == ("queued", "resent", 0, None, None)
        check_waiting(half, webhook)
        half.notice()
        again = receiver.wait_for(3)[2]
        before = next(each for each in receiver.requests if each.body == again.body)
        assert again.headers["webhook-id"] == before.headers["webhook-id"]
        assert (attempt(before), attempt(again)) == (1, 2)
        half.wait_for_ends(webhook, 2)
        assert half.health(webhook).delivered == 3
        check_waiting(half, webhook)


def test_of_two_clicks_at_the_same_moment_one_resends(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        delivery = ids(half, webhook)[0]
        other = Store(half.app.config["SQLALCHEMY_DATABASE_URI"])
        try:
            mine = gevent.spawn(half.act, resend, delivery)
            half.store, own = other, half.store
            theirs = gevent.spawn(half.act, resend, delivery)
            found = sorted([mine.get(timeout=60), theirs.get(timeout=60)])
        finally:
            half.store = own
            other.close()
        assert found == [Resent.ALREADY_WAITING, Resent.QUEUED]
        assert half.health(webhook).created == 2
        half.notice()
        half.wait_for_ends(webhook, 1)
        assert len(receiver.wait_for(2)) == 2
        check_waiting(half, webhook)


def test_an_expired_delivery_that_is_resent_is_young_again_while_its_webhook_is_paused(
    any_half: Sending,
) -> None:
    half = any_half
    webhook = half.webhook(URL, state=WebhookState.PAUSED, max_age=1)
    half.skew = -7_200.0
    half.store_events(1)
    half.skew = 0.0
    half.execute("UPDATE deliveries SET state = 'expired', reason = 'max_age', ended_ms = 1")
    half.execute("UPDATE webhook_health SET expired = 1")
    assert half.act(resend, ids(half, webhook)[0]) is Resent.QUEUED
    half.notice()
    half.housekeeping.step()
    assert half.states(webhook) == [("queued", "resent")]
    check_waiting(half, webhook)


def test_a_delivery_of_a_deleted_webhook_is_not_resent(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        delivery = ids(half, webhook)[0]
        half.delete(webhook)
        for act in (resend, try_now):
            with pytest.raises(Refused):
                half.act(act, delivery)
        with pytest.raises(Refused, match="There is no delivery_99"):
            half.act(resend, 99)


def test_what_personal_data_was_taken_out_of_is_not_resent(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        half.execute("UPDATE events SET note = 'masked'")
        with pytest.raises(Refused, match="Personal data was removed"):
            half.act(resend, ids(half, webhook)[0])
        assert len(receiver.requests) == 1


def test_what_a_filter_left_out_is_not_resent_and_the_refusal_says_what_helps(
    half: Sending,
) -> None:
    webhook = half.webhook(URL)
    half.store_events(1)
    half.execute("UPDATE deliveries SET state = 'filtered', reason = 'filtered_out'")
    with pytest.raises(Refused, match="change the webhook's filter") as refused:
        half.act(resend, ids(half, webhook)[0])
    assert "mude o filtro do webhook" in refused.value.problems[0].portuguese


@pytest.mark.parametrize("parallelism", [1, 8])
def test_a_resent_delivery_goes_before_the_later_one_of_its_key_that_failed(
    half: Sending, parallelism: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    with Receiver(lambda each: BUSY if each.number == 2 else OK) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=parallelism)
        half.arrive(3, key="k")
        wait_for_attempts(half, 2)
        one, two, _ = ids(half, webhook)
        half.act(resend, one)
        half.notice()
        receiver.wait_for(3)
        wait_for_attempts(half, 3)
        assert half.act(try_now, two).outcome is Tried.ITSELF
        half.notice()
        half.wait_for_ends(webhook, 3)
        start = min(numbers(receiver.requests))
        assert [each - start for each in numbers(receiver.requests)] == [0, 1, 0, 1, 2]
        check_waiting(half, webhook)


def test_acts_while_much_is_sent_lose_and_double_nothing(half: Sending) -> None:
    def answer(_: Received) -> Plain:
        gevent.sleep(0.002)
        return OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(60, key="k")
        half.arrive(240)
        mine, resent = ids(half, webhook), 0
        for delivery in mine[::10]:
            resent += half.act(resend, delivery) is Resent.QUEUED
            half.act(try_now, mine[-1])
            half.notice()
        half.wait_for_ends(webhook, 300)
        assert len(receiver.requests) == 300 + resent
        check_waiting(half, webhook)
