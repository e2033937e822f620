"""Backlogs, crashes, slow reads and a busy hub: nothing is lost, nothing sleeps without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import gevent
import pytest
from gevent.monkey import get_original
from sqlalchemy.exc import OperationalError

from tests.delivery.lanes_world import Sending, by_key, first, numbers
from tests.support.application import wait_until
from tests.support.receiver import OK, Plain, Received, Receiver, hang
from webhookproxy.delivery.lanes import lane
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.outcomes import retry
from webhookproxy.delivery.waiting.backlog import Backlog
from webhookproxy.delivery.waiting.rows import Row
from webhookproxy.rules.webhooks import WebhookState

DELIVERED = ("delivered", "accepted")
HOUR = 3600.0


def test_ten_thousand_failing_rows_of_one_key_slow_no_other_key(half: Sending) -> None:
    def answer(each: Received) -> Plain:
        return (500, {}, b"") if b'"key": "bad"' in each.body else OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url())

        def usual(ends: range) -> float:
            """Return the usual seconds of an event of another key, and count its end."""
            took = []
            for ended in ends:
                started = time.monotonic()
                half.arrive(1)
                half.wait_for_ends(webhook, ended)
                took.append(time.monotonic() - started)
            return median(took)

        before = usual(range(1, 21))
        half.arrive(10_000, key="bad")
        assert usual(range(21, 72)) < before * 5 + 0.1


@pytest.mark.slow
def test_a_large_backlog_drains_whole_in_order_and_in_bounded_memory(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.switch(webhook, WebhookState.PAUSED)
        for _ in range(50):
            half.store_events(60, key="one")
            half.store_events(40)
        half.crash()
        half.switch(webhook, WebhookState.ACTIVE)
        draining = half.lanes.lane(webhook)
        assert draining is not None
        held = 0
        while len(receiver.requests) < 5_000:
            window = draining._window
            held = max(held, window.keys.followers + len(window.keys.ready))
            gevent.sleep(0.005)
        half.wait_for_ends(webhook, 5_000, seconds=30)
        assert held <= 1_000
        assert by_key(receiver.requests)["one"] == sorted(by_key(receiver.requests)["one"])
        assert len(set(numbers(receiver.requests))) == len(receiver.requests) == 5_000
    half.check_totals(webhook)


def test_a_crash_repeats_what_was_in_flight_with_the_same_id_and_bytes(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), parallelism=4, secret="s" * 32)
        half.arrive(10)
        half.wait_for_ends(webhook, 10)
        receiver.answer = lambda _: hang()
        half.arrive(20)
        in_flight = receiver.wait_for(14)[10:]
        half.crash()
        receiver.answer = OK
        half.wait_for_ends(webhook, 30)
        assert set(half.states(webhook)) == {DELIVERED}
        again = receiver.requests[14:]
        assert len(again) == 20
        repeated = {each.headers["webhook-id"]: each for each in again}
        for each in in_flight:
            assert repeated[each.headers["webhook-id"]].body == each.body
    half.check_totals(webhook)


def test_a_hub_that_was_busy_when_an_alarm_was_set_does_not_sleep_through_it(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "EVENT_DELAYS", (0.3,))

    report = LaneServices.report

    def busy(*given: Any) -> None:
        report(*given)
        # Timers that are set before the hub looks at the clock again ring so much too early.
        get_original("time", "sleep")(0.2)

    monkeypatch.setattr(LaneServices, "report", busy)
    with Receiver(lambda each: OK if each.number > 1 else (500, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        assert half.states(webhook) == [DELIVERED]


def test_reads_that_wait_neither_lose_nor_double_a_delivery(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(read: Callable[..., Any]) -> Callable[..., Any]:
        def read_and_wait(*given: Any, **named: Any) -> Any:
            found = read(*given, **named)
            # As PostgreSQL's driver does; meanwhile results are committed and the circuit moves.
            gevent.sleep(0.01)
            return found

        return read_and_wait

    for name in ("_rows", "load"):
        monkeypatch.setattr(Backlog, name, waiting(getattr(Backlog, name)))

    def answer(_each: Received) -> Plain:
        gevent.sleep(0.015)
        return OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(300)
        # Each save has the window read again while some are under way.
        for turn in range(30):
            half.edit(webhook, timeout=10.0 + turn)
            gevent.sleep(0.013)
        half.wait_for_ends(webhook, 300)
        assert len(receiver.requests) == len(set(numbers(receiver.requests))) == 300
    half.check_totals(webhook)


def test_a_restart_keeps_an_open_circuit_and_its_next_probe(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PROBE_FIRST", 0.5)
    monkeypatch.setattr(retry, "PROBE_LAST", 0.5)
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        assert half.lanes.results.drain(20)
        before = len(receiver.requests)
        half.crash()
        receiver.answer = OK
        half.wait_for_ends(webhook, 8)
        assert receiver.requests[before].at - receiver.requests[0].at >= 0.4
        assert set(half.states(webhook)) == {DELIVERED}
    half.check_totals(webhook)


def test_a_database_that_cannot_be_read_for_a_while_stops_no_lane(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    half, failed = any_half, 0
    monkeypatch.setattr(lane, "READ_AGAIN", 0.05)

    def failing(read: Callable[..., Any]) -> Callable[..., Any]:
        def read_or_fail(*given: Any, **named: Any) -> Any:
            nonlocal failed
            if broken:
                failed += 1
                raise OperationalError("SELECT", {}, Exception("gone"))
            return read(*given, **named)

        return read_or_fail

    for name in ("_rows", "load"):
        monkeypatch.setattr(Backlog, name, failing(getattr(Backlog, name)))
    broken = True
    with Receiver(lambda each: (500, {}, b"") if each.number == 1 else OK) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(10, key="one")
        half.arrive(400)
        wait_until(lambda: failed >= 3)
        broken = False
        half.wait_for_ends(webhook, 410)
        keyed = by_key(receiver.requests)["one"]
        assert keyed == sorted(keyed)
        assert len(receiver.requests) == 411
    half.check_totals(webhook)


def test_a_result_is_kept_though_nothing_can_be_read_after_it(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "READ_AGAIN", 0.05)
    read, failed = Backlog.of_key, 0

    def failing(self: Backlog, key: str, after: int, upto: int, limit: int) -> list[Row]:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise OperationalError("SELECT", {}, Exception("gone"))
        return read(self, key, after, upto, limit)

    monkeypatch.setattr(Backlog, "of_key", failing)
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        # More of one key than are held in memory, so that the rest is read after one of them.
        half.arrive(150, key="one")
        half.wait_for_ends(webhook, 150)
        assert failed > 1
        start = first(receiver.requests)
        assert numbers(receiver.requests) == list(range(start, start + 150))
    half.check_totals(webhook)
