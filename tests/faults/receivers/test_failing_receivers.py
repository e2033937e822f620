"""The cost of a receiver's fault: the events that still arrive, their delay, and each end."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from gevent.event import Event

from tests.delivery.acting import open_at_once
from tests.delivery.lanes_world import Sending, attempt, by_key, first, numbers
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Received, Receiver
from tests.support.server_process import free_port
from webhookproxy.rules.webhooks import WebhookState

DELIVERED = ("delivered", "accepted")


def status(code: int) -> Plain:
    return (code, {}, b"")


def failing(code: int, *bad: int) -> dict[int, int]:
    return dict.fromkeys(bad, code)


def number_of(request: Received) -> int:
    return int(json.loads(request.body)["payload"]["n"])


def test_f05_one_poison_payload_ends_exhausted_and_stops_nobody_else(half: Sending) -> None:
    with Receiver() as receiver:
        poison: list[int] = []
        others_came = Event()

        def answer(request: Received) -> Plain:
            if not poison:
                poison.append(number_of(request))
            if number_of(request) != poison[0]:
                return OK
            if attempt(request) > 2:
                # The first tries hold up no other event, however long they take.
                others_came.wait(60)
            return status(500)

        receiver.answer = answer
        webhook = half.webhook(receiver.url())
        half.arrive(1, key="poisoned")
        receiver.wait_for(1)
        half.arrive(3, key="poisoned")
        half.arrive(10)
        wait_until(lambda: len(set(numbers(receiver.requests))) >= 11)
        tries = [attempt(each) for each in receiver.requests if number_of(each) == poison[0]]
        assert tries[-1] <= 3
        others_came.set()
        # Another event passes after every try of the bad one, or the receiver would be at fault.
        while half.states(webhook)[0][0] != "refused":
            half.arrive(1)
            half.wait_for_ends(webhook, 1)
        half.wait_for("SELECT COUNT(*) = 0 FROM deliveries WHERE ended_ms IS NULL")
        states = half.states(webhook)
        assert states[0] == ("refused", "exhausted")
        assert set(states[1:]) == {DELIVERED}
        tries = [attempt(each) for each in receiver.requests if number_of(each) == poison[0]]
        assert tries == [1, 2, 3, 4, 5, 6, 7, 8]
        keyed = by_key(receiver.requests)["poisoned"]
        assert keyed == [poison[0]] * 8 + [poison[0] + 1, poison[0] + 2, poison[0] + 3]
        half.check_totals(webhook)


def test_f05_events_answered_404_are_refused_after_three_tries(half: Sending) -> None:
    with Receiver(lambda each: status(404) if number_of(each) % 4 == 0 else OK) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(20)
        half.wait_for_ends(webhook, 15)

        def have_ended() -> bool:
            # Another event passes after every try, or the receiver would be at fault.
            half.arrive(1)
            return {state for state, _ in half.states(webhook)[:20]} <= {"delivered", "refused"}

        wait_until(have_ended)
        states = half.states(webhook)[:20]
        assert sorted(set(states)) == [DELIVERED, ("refused", "refused_status")]
        bad = [each for each in receiver.requests if number_of(each) % 4 == 0]
        assert all(
            [attempt(each) for each in bad if number_of(each) == number] in ([1, 2, 3],)
            for number in {number_of(each) for each in bad[:5]}
        )


def test_f05_400_on_everything_opens_the_circuit_and_refuses_nothing(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_at_once(monkeypatch)
    with Receiver(status(400)) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(30, key=None)
        for _ in range(3):
            half.arrive(3, key="same")
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        wait_until(lambda: half.health(webhook).failed_probes >= 3)
        assert {state for state, _ in half.states(webhook)} <= {"queued", "retrying"}
        broken = len(receiver.requests)
        receiver.answer = OK
        half.wait_for_ends(webhook, 39)
        assert set(half.states(webhook)) == {DELIVERED}
        arrived = receiver.requests[broken:]
        assert len(set(numbers(arrived))) == 39
        assert by_key(arrived)["same"] == sorted(by_key(arrived)["same"])
        assert half.health(webhook).circuit_opened_at is None
        half.check_totals(webhook)


def test_f04_503_for_a_while_is_probed_on_its_own_schedule_and_then_all_arrives(
    half: Sending,
) -> None:
    with Receiver(status(503)) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        opened = len(receiver.requests)
        for _ in range(10):
            half.arrive(10, key="one")
            half.arrive(10, key="two")
        wait_until(lambda: half.health(webhook).failed_probes >= 5)
        sent = len(receiver.requests)
        half.wait_for(f"SELECT COUNT(*) >= {sent} FROM attempts")
        at = [
            row.started_ms
            for row in rows(half.app, "SELECT started_ms FROM attempts WHERE probe ORDER BY 1")
        ]
        # The POSTs in flight when it opened, and then one probe at a time, by their schedule.
        assert sent - opened <= 8 + len(at)
        assert all(later - earlier >= 150 for earlier, later in pairwise(at[2:]))
        counted = rows(half.app, "SELECT MAX(tries) FROM deliveries")[0][0]
        assert counted <= 2
        down = len(receiver.requests)
        receiver.answer = OK
        half.wait_for_ends(webhook, 208)
        assert set(half.states(webhook)) == {DELIVERED}
        arrived = receiver.requests[down:]
        for key in ("one", "two"):
            assert by_key(arrived)[key] == sorted(by_key(arrived)[key])
            assert len(by_key(arrived)[key]) == 100
        half.check_totals(webhook)


def test_f04_a_probe_that_failed_twice_gives_way_to_another_event(half: Sending) -> None:
    with Receiver(status(503)) as receiver:
        half.webhook(receiver.url())
        half.arrive(5)
        wait_until(lambda: rows(half.app, "SELECT COUNT(*) FROM attempts WHERE probe")[0][0] >= 6)
        probed = rows(
            half.app, "SELECT delivery_id FROM attempts WHERE probe ORDER BY started_ms, number"
        )
        ids = [row[0] for row in probed][:6]
        assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4] == ids[5]


def test_f04_a_receiver_that_was_not_there_gets_everything_when_it_starts(half: Sending) -> None:
    port = free_port()
    webhook = half.webhook(f"http://127.0.0.1:{port}/")
    half.arrive(5, key="a")
    half.arrive(5)
    half.wait_for("SELECT circuit_opened_at FROM webhook_health")
    assert ("retrying", "connection_refused") in half.states(webhook)
    again = Receiver()
    again._server.set_listener(("127.0.0.1", port))
    with again:
        half.wait_for_ends(webhook, 10)
        assert set(half.states(webhook)) == {DELIVERED}
        assert by_key(again.requests)["a"] == sorted(by_key(again.requests)["a"])
        assert len(again.requests) == 10
    half.check_totals(webhook)


def test_f05_410_pauses_the_webhook_and_a_resume_delivers_what_it_kept(half: Sending) -> None:
    with Receiver(status(410)) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=1)
        half.arrive(5)
        half.wait_for("SELECT paused_reason FROM webhooks")
        half.notice()
        row = rows(half.app, "SELECT state, paused_reason FROM webhooks")[0]
        assert tuple(row) == ("paused", "gone")
        half.arrive(5)
        assert half.lanes.results.drain(20)
        assert len(receiver.requests) == 1
        assert half.states(webhook)[0] == ("retrying", "gone")
        receiver.answer = OK
        half.switch(webhook, WebhookState.ACTIVE)
        half.wait_for_ends(webhook, 10)
        assert set(half.states(webhook)) == {DELIVERED}
        start = first(receiver.requests)
        assert numbers(receiver.requests[1:]) == list(range(start, start + 10))
        half.check_totals(webhook)
