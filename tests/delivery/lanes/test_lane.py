"""One webhook's lane on a real database, against a real receiver."""

from __future__ import annotations

import socket

import gevent
import pytest
from gevent.event import Event

from tests.delivery.lanes_world import Sending, attempt, by_key, first, numbers
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.delivery.lanes import pace
from webhookproxy.delivery.outcomes import retry
from webhookproxy.rules.webhooks import WebhookState

DELIVERED = ("delivered", "accepted")
HOUR = 3600.0


def test_events_arrive_in_order_per_key_and_end_delivered(any_half: Sending) -> None:
    with Receiver() as receiver:
        webhook = any_half.webhook(receiver.url(), secret="s" * 32)
        for _ in range(20):
            any_half.arrive(3, key="one")
            any_half.arrive(2, key="two")
        any_half.wait_for_ends(webhook, 100)
        assert set(any_half.states(webhook)) == {DELIVERED}
        assert len(receiver.requests) == 100
        assert all(each == sorted(each) for each in by_key(receiver.requests).values())
    any_half.check_totals(webhook)


def test_failures_and_a_circuit_lose_and_double_nothing(any_half: Sending) -> None:
    with Receiver((503, {}, b"")) as receiver:
        webhook = any_half.webhook(receiver.url())
        for _ in range(10):
            any_half.arrive(4, key="one")
            any_half.arrive(2)
        any_half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        down = len(receiver.requests)
        receiver.answer = OK
        any_half.wait_for_ends(webhook, 60)
        assert set(any_half.states(webhook)) == {DELIVERED}
        arrived = receiver.requests[down:]
        assert len(arrived) == len(set(numbers(arrived))) == 60
        assert by_key(arrived)["one"] == sorted(by_key(arrived)["one"])
    any_half.check_totals(webhook)


def test_a_rate_limit_holds(half: Sending) -> None:
    with Receiver() as receiver:
        half.webhook(receiver.url(), rate_limit=10)
        half.arrive(40)
        begun = "SELECT started_ms FROM attempts ORDER BY started_ms"
        wait_until(lambda: len(rows(half.app, begun)) >= 19, what="19 were sent")
        at = [row[0] for row in rows(half.app, begun)]
        # A busy machine writes a time down late, but not each of them: one is ten to the second.
        assert max(at[18] - at[each] - 100 * (18 - each) for each in range(9)) >= -10
        # Nor are the next ones early: of six at once most would be too near.
        near = [later - at[number] < 250 for number, later in enumerate(at[5:])]
        assert near.count(True) < len(near) / 2


@pytest.mark.parametrize("parallelism", [1, 3])
def test_so_many_requests_are_under_way_at_once(half: Sending, parallelism: int) -> None:
    under_way, most = 0, 0

    def answer(_request: Received) -> Plain:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        gevent.sleep(0.02)
        under_way -= 1
        return OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=parallelism)
        half.arrive(30)
        half.wait_for_ends(webhook, 30)
    assert most == parallelism


def test_strict_order_survives_failures(half: Sending) -> None:
    with Receiver(lambda each: (500, {}, b"") if each.number % 3 == 0 else OK) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=1)
        half.arrive(20)
        half.wait_for_ends(webhook, 20)
        assert set(half.states(webhook)) == {DELIVERED}
        passed = [each for each in receiver.requests if each.number % 3]
        start = first(passed)
        assert numbers(passed) == list(range(start, start + 20))
        assert numbers(receiver.requests) == sorted(numbers(receiver.requests))
    half.check_totals(webhook)


def test_what_waited_longer_than_max_age_expires(half: Sending) -> None:
    def answer(each: Received) -> Plain:
        # One that is under way when the time moves must not arrive after all.
        return OK if b'"young"' in each.body else (503, {}, b"")

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url(), max_age=1)
        half.arrive(20)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        half.skew = HOUR + 60
        half.arrive(2, key="young")
        wait_until(lambda: half.housekeeping.step() or len(set(half.states(webhook))) == 2)
        half.wait_for_ends(webhook, 22)
        assert half.states(webhook) == [("expired", "max_age")] * 20 + [DELIVERED] * 2
    half.check_totals(webhook)


def test_a_paused_webhook_keeps_everything_and_its_clock_stands(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), max_age=1)
        half.switch(webhook, WebhookState.PAUSED)
        half.arrive(5)
        half.skew = 5 * HOUR
        assert not half.housekeeping.step()
        assert half.states(webhook) == [("queued", "waiting_turn")] * 5
        assert receiver.requests == []
        # Resuming reads the real clock: the pause has lasted since five hours ago.
        for statement in (
            "UPDATE webhooks SET paused_at = paused_at - 18000000",
            "UPDATE deliveries SET born_ms = born_ms - 18000000",
        ):
            half.execute(statement)
        half.skew = 0.0
        half.switch(webhook, WebhookState.ACTIVE)
        half.wait_for_ends(webhook, 5)
        assert set(half.states(webhook)) == {DELIVERED}
    half.check_totals(webhook)


def test_a_simulated_webhook_sends_nothing(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), state=WebhookState.SIMULATED)
        half.arrive(10)
        half.wait_for_ends(webhook, 10)
        assert set(half.states(webhook)) == {("simulated", "simulation")}
        assert receiver.connections == 0
    assert rows(half.app, "SELECT COUNT(*) FROM attempts")[0][0] == 0
    half.check_totals(webhook)


def test_a_retry_after_holds_the_whole_lane(half: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    # It is not the pace that keeps the others waiting.
    monkeypatch.setattr(pace, "SLOWEST", 20.0)
    with Receiver((429, {"Retry-After": "1"}, b"")) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=2)
        half.arrive(2)
        receiver.wait_for(2)
        wait_until(lambda: len(rows(half.app, "SELECT 1 FROM attempts")) == 2)
        receiver.answer = OK
        half.arrive(3)
        half.wait_for_ends(webhook, 5)
        assert receiver.requests[2].at - receiver.requests[0].at >= 0.95
        assert {row[0] for row in half.states(webhook)} == {"delivered"}


def test_saving_a_webhook_closes_its_circuit_and_uses_the_new_url_and_secret(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PROBE_FIRST", 600.0)
    monkeypatch.setattr(retry, "PROBE_LAST", 600.0)
    with Receiver((503, {}, b"")) as old, Receiver() as new:
        webhook = half.webhook(old.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        half.edit(webhook, url=new.url("/new"), secret="n" * 32)
        half.wait_for_ends(webhook, 8)
        assert {each.path for each in new.requests} == {"/new"}
        assert all("X-Signature-SHA256" in each.headers for each in new.requests)
        assert half.health(webhook).circuit_opened_at is None
    half.check_totals(webhook)


def test_what_waits_for_a_deleted_webhook_is_cancelled_with_its_reason(half: Sending) -> None:
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        half.delete(webhook)
        assert half.lanes.lane(webhook) is None
        assert half.lanes.results.drain(20)
        half.housekeeping.step()
        assert set(half.states(webhook)) == {("cancelled", "webhook_deleted")}
        half.check_totals(webhook)
        wait_until(lambda: not half.housekeeping.step())
    assert rows(half.app, "SELECT id FROM webhooks") == []


def test_every_attempt_carries_the_same_bytes_and_the_same_id(half: Sending) -> None:
    with Receiver(lambda each: OK if each.number == 3 else (500, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url(), secret="s" * 32)
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        assert [attempt(each) for each in receiver.requests] == [1, 2, 3]
        assert len({each.body for each in receiver.requests}) == 1
        assert len({each.headers["webhook-id"] for each in receiver.requests}) == 1
        assert len({each.headers["X-Signature-SHA256"] for each in receiver.requests}) == 1
    stored = rows(half.app, "SELECT number, status, reason FROM attempts ORDER BY number")
    assert [tuple(row) for row in stored] == [
        (1, 500, "failed_status"),
        (2, 500, "failed_status"),
        (3, 200, "accepted"),
    ]


def test_a_receiver_that_hangs_ends_at_the_timeout_and_stops_no_other_webhook(
    half: Sending,
) -> None:
    over = Event()

    def until_over(_sock: socket.socket) -> None:
        over.wait(60)

    with Receiver(lambda _: until_over) as hanging, Receiver() as good:
        stuck = half.webhook(hanging.url(), timeout=60, parallelism=2)
        fine = half.webhook(good.url())
        half.arrive(20)
        half.wait_for_ends(fine, 20)
        assert set(half.states(fine)) == {DELIVERED}
        assert set(half.states(stuck)) == {("queued", "waiting_turn")}
        impatient = half.webhook(hanging.url(), timeout=1)
        half.arrive(1)
        wait_until(lambda: ("retrying", "answer_timeout") in half.states(impatient))
        took = rows(half.app, "SELECT duration_ms FROM attempts WHERE reason = 'answer_timeout'")
        assert all(950 <= row[0] <= 15_000 for row in took)
        over.set()
