"""However many rows wait, of however many keys and however long: neither hub nor memory suffers."""

from __future__ import annotations

import gc
import tracemalloc

import gevent
import pytest
from gevent.event import Event

from bench.lanes.hub import LIMIT_MS, acts, fill, measured
from tests.delivery.lanes_world import Sending, by_key
from tests.support.application import wait_until
from tests.support.receiver import OK, Plain, Receiver, hang
from webhookproxy.delivery.waiting.backlog import Backlog
from webhookproxy.rules.webhooks import WebhookState

ROWS = 20_000
MB = 1 << 20


@pytest.mark.parametrize("keys", [1, 3, 300, ROWS])
def test_a_long_backlog_never_holds_the_hub(any_half: Sending, keys: int) -> None:
    answer: Plain = OK if keys == ROWS else (500, {}, b"")
    found = list(measured(any_half, ROWS, keys, answer, seconds=0.15))
    assert len(found) == len(acts(any_half, 0))
    assert max(ms for _, ms, _ in found) < LIMIT_MS, found


def test_a_read_that_takes_long_keeps_nobody_who_tells_the_lane_something(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = 0, Event()
    after = Backlog.after

    def slow(self: Backlog, delivery_id: int, limit: int) -> object:
        nonlocal reading
        reading += 1
        go_on.wait(200)
        return after(self, delivery_id, limit)

    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        fill(half, webhook, 100, 3)
        monkeypatch.setattr(Backlog, "after", slow)
        half.crash()
        lane = half.lanes.lane(webhook)
        assert lane is not None
        wait_until(lambda: reading == 1)
        with gevent.Timeout(60):
            half.edit(webhook, timeout=14.0)
            lane.attend([1])
            lane.discard(5)
        assert reading == 1
        monkeypatch.undo()
        go_on.set()


@pytest.mark.slow
def test_megabytes_for_a_slow_receiver_stay_in_the_database(half: Sending) -> None:
    with Receiver(lambda _: hang()) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=2)
        gc.collect()
        tracemalloc.start(1)
        try:
            for _ in range(64):
                half.arrive(1, chars=MB)
            receiver.wait_for(2)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert held < 32 * MB
        half.switch(webhook, WebhookState.PAUSED)


def test_long_payloads_of_few_keys_all_arrive_in_order(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.switch(webhook, WebhookState.PAUSED)
        for _ in range(20):
            half.store_events(1, key="a", chars=MB // 2)
            half.store_events(1, key="b", chars=MB // 2)
        half.crash()
        half.switch(webhook, WebhookState.ACTIVE)
        half.wait_for_ends(webhook, 40)
        for arrived in by_key(receiver.requests).values():
            assert arrived == sorted(arrived)
            assert len(arrived) == 20
