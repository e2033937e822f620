"""What people do with deliveries while the lanes run: resend, try now, cancel."""

from __future__ import annotations

import gevent
import pytest

from tests.delivery.lanes_world import Sending, attempt, numbers
from tests.delivery.test_changed_meanwhile import Slow, slow
from tests.receiver import OK, Plain, Received, Receiver
from tests.world import rows, wait_until
from webhookproxy.delivery import retry
from webhookproxy.delivery.retry import Kind
from webhookproxy.delivery.sender import Outcome
from webhookproxy.models.acts import Cancelled, Resent, Tried, cancel, resend, try_now
from webhookproxy.reasons import DeliveryReason
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.store import Store

URL = "http://127.0.0.1:9999/"
BUSY: Plain = (503, {}, b"")
ACCEPTED = Outcome(Kind.SUCCESS, DeliveryReason.ACCEPTED, 1, 1, status=200, answer="")
FAILED = Outcome(Kind.FAILURE, DeliveryReason.FAILED_STATUS, 1, 1, status=500, answer="")


def never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails is tried again in ten minutes, unless somebody acts."""
    monkeypatch.setattr(retry, "EVENT_DELAYS", (600.0,) * 6)
    monkeypatch.setattr(retry, "PROBE_FIRST", 600.0)
    monkeypatch.setattr(retry, "PROBE_LAST", 600.0)


def ids(half: Sending, webhook: int) -> list[int]:
    query = "SELECT id FROM deliveries WHERE webhook_id = :id ORDER BY id"
    return [row[0] for row in rows(half.app, query, id=webhook)]


def check_waiting(half: Sending, webhook: int) -> None:
    """What the health row says of what waits is what the deliveries say."""
    assert half.lanes.results.drain(5.0)
    health = half.health(webhook)
    ended = health.delivered + health.refused + health.expired
    query = (
        "SELECT COUNT(*) FROM deliveries WHERE webhook_id = :id AND state IN ('queued', 'retrying')"
    )
    waiting = rows(half.app, query, id=webhook)[0][0]
    assert health.created - ended - health.cancelled - health.simulated == waiting


def wait_for_attempts(half: Sending, count: int) -> None:
    wait_until(lambda: len(rows(half.app, "SELECT 1 FROM attempts")) == count, 5, "attempts")


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
            found = sorted([mine.get(timeout=10), theirs.get(timeout=10)])
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
        assert half.lanes.results.drain(5.0)
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
    monkeypatch.setattr(lane._sender, "send", again)
    again.answer.set()
    send.answer.set()
    half.wait_for_ends(webhook, 2)
    assert half.states(webhook) == [("cancelled", "discarded"), ("delivered", "accepted")]
    half.check_totals(webhook)
    half.act(resend, one)
    half.notice()
    half.wait_for("SELECT 1 FROM deliveries WHERE id = 1 AND state = 'delivered'")
    query = "SELECT number, status FROM attempts WHERE delivery_id = :id ORDER BY number"
    assert [tuple(row) for row in rows(half.app, query, id=one)] == [(1, 500), (2, 200)]
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
