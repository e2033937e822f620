"""How little of the hub housekeeping takes, however much waits, and how it takes a clock's jump."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from sqlalchemy import Connection

from tests.delivery.lanes_world import Sending, sending
from tests.housekeeping.test_steps import DAY, URL, count, end, store_old, sweep
from tests.support import application as world
from tests.support.application import rows
from tests.support.hub_watch import least_held
from webhookproxy.engine.background_jobs import share_jobs
from webhookproxy.housekeeping import steps
from webhookproxy.rules.webhooks import WebhookState

MANY = 200_000
# Of the processor, between two switches of the hub.
MOST_MS = 20.0
_MANY_EVENTS = (
    "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    " INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) SELECT i, 'evt_' || i, {company}, 'x', '{{}}', '', 's', 'm',"
    " {received} + i, 0 FROM n"
)
_MANY_DELIVERIES = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) SELECT id, id, {webhook}, '', 'queued', 'waiting_turn', 0, 0, {now}"
    " FROM events"
)


@pytest.fixture
def half(sqlite_url: str, tmp_path: Path) -> Iterator[Sending]:
    with world.application(sqlite_url, tmp_path) as app, sending(app) as half:
        yield half


def sweep_from_the_beginning(half: Sending, rounds: int) -> None:
    """Do so many steps of a housekeeping that has just begun, each in a turn of its own."""
    half.housekeeping = share_jobs(half.app, half.relay, half.clock).housekeeping
    for _ in range(rounds):
        gevent.sleep(0)
        half.housekeeping.step()


def test_a_long_backlog_costs_the_hub_no_more_than_a_moment_at_each_step(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED, max_age=168)
    half.store_events(1)
    now = round(half.clock() * 1000)
    eight_days_ago = now - round(8 * DAY * 1000)

    def fill(connection: Connection) -> None:
        given = {"company": half.company, "received": eight_days_ago, "first": 10, "last": MANY}
        connection.exec_driver_sql("DELETE FROM deliveries")
        connection.exec_driver_sql("DELETE FROM events")
        connection.exec_driver_sql(_MANY_EVENTS.format(**given))
        connection.exec_driver_sql(_MANY_DELIVERIES.format(webhook=webhook, now=now))
        connection.exec_driver_sql(f"UPDATE webhook_health SET created = {MANY}")

    half.store.run(fill)
    longest, by = least_held(lambda: sweep_from_the_beginning(half, 20), MOST_MS)
    assert longest < MOST_MS, by
    assert count(half, "deliveries", "state = 'queued'") == MANY - 9
    # Events past their days are passed over, because their deliveries wait.
    assert half.housekeeping.step()
    assert half.housekeeping.pause == steps.PAUSE_PASSING


def test_what_is_too_old_behind_resent_ones_expires_too(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookproxy.housekeeping.purge.BATCH", 4)
    webhook = half.webhook(URL, max_age=1)
    young = half.store_events(9)
    store_old(half, 0.5, 3)
    assert len(young) == 9
    for _ in range(5):
        half.housekeeping.step()
    states = half.states(webhook)
    assert states == [("queued", "waiting_turn")] * 9 + [("expired", "max_age")] * 3


def test_a_clock_that_jumps_ahead_by_days_removes_nothing_before_a_second_look(
    half: Sending, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    end(half, half.store_events(5))
    waiting = half.webhook(URL, max_age=1)
    half.store_events(3)
    sweep(half)
    half.skew = 30 * DAY
    sweep(half)
    assert count(half, "events") == 8
    assert ("expired", "max_age") not in half.states(waiting)
    (line,) = [record.message for record in caplog.records if "clock" in record.message]
    assert line.startswith("the clock went ahead by 720.0 hours: nothing expires or is removed")
    # It went back in time: what is stored is as young as it was.
    half.skew = 0.0
    monkeypatch.setattr(half.housekeeping, "_trusted_from", 0.0)
    sweep(half)
    assert count(half, "events") == 8
    half.skew = 30 * DAY
    half.housekeeping.step()
    monkeypatch.setattr(half.housekeeping, "_trusted_from", 0.0)
    sweep(half)
    assert count(half, "events") == 3
    assert half.states(waiting) == [("expired", "max_age")] * 3


def test_what_waits_for_a_webhook_that_is_gone_is_ended(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    half.store_events(3)
    # As when events in memory are stored after the webhook's row went.
    half.execute("DELETE FROM webhook_health")
    half.execute("DELETE FROM webhooks")
    half.lanes.apply([], [webhook])
    sweep(half)
    states = rows(half.app, "SELECT state, reason FROM deliveries")
    assert [tuple(row) for row in states] == [("cancelled", "webhook_deleted")] * 3
