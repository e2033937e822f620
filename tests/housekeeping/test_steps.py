"""Deliveries end and rows are removed in batches, and others stay; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine
from sqlalchemy.orm import Session

from tests.delivery.lanes_world import Sending, sending
from tests.support import application as world
from tests.support.application import rows
from webhookproxy.housekeeping import purge
from webhookproxy.housekeeping import steps as housekeeping
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.deliveries.actions import resend
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.rules.webhooks import WebhookState

DAY = 86_400.0
_ENDED = "UPDATE deliveries SET state = 'delivered', ended_ms = 1 WHERE id IN ({})"
_ATTEMPTED = (
    "INSERT INTO attempts (delivery_id, number, started_ms, duration_ms, reason, probe)"
    " SELECT id, 1, 1, 1, 'accepted', false FROM deliveries WHERE id IN ({})"
)
_COUNTED = "UPDATE webhook_health SET delivered = delivered + {}"
URL = "http://127.0.0.1:9999/"


@pytest.fixture
def half(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    # Small, so that a few rows make several batches.
    for module in (housekeeping, purge):
        monkeypatch.setattr(module, "BATCH", 4)
    with sending(any_app) as half:
        yield half


def count(half: Sending, table: str, where: str = "1 = 1") -> int:
    return int(rows(half.app, f"SELECT COUNT(*) FROM {table} WHERE {where}")[0][0])


def sweep(half: Sending) -> int:
    """Run housekeeping until it has nothing to do; return the number of useful steps."""
    for steps in range(100):
        if not half.housekeeping.step():
            return steps
    raise AssertionError("housekeeping never comes to an end")


def store_old(half: Sending, days: float, events: int) -> list[Due]:
    half.skew = -days * DAY
    dues = half.store_events(events)
    half.skew = 0.0
    return dues


def end(half: Sending, dues: list[Due]) -> None:
    """End deliveries, each with an attempt."""
    numbers = ", ".join(str(due.id) for due in dues)

    def job(connection: Connection) -> None:
        for statement in (_ENDED, _ATTEMPTED):
            connection.exec_driver_sql(statement.format(numbers))
        connection.exec_driver_sql(_COUNTED.format(len(dues)))

    half.store.run(job)


def test_events_past_retention_go_with_their_deliveries_and_attempts(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    end(half, store_old(half, 8, 30))
    end(half, store_old(half, 6, 5))
    assert sweep(half) >= 7
    assert [count(half, table) for table in ("events", "deliveries", "attempts")] == [5, 5, 5]
    assert count(half, "hourly_events") > 0


def test_a_step_removes_no_more_than_a_batch(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    end(half, store_old(half, 8, 30))
    assert half.housekeeping.step()
    assert half.housekeeping.pause == housekeeping.PAUSE_BUSY
    assert count(half, "events") == 26


def test_what_waits_is_never_removed_and_hides_nothing_behind_it(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED, max_age=168)
    waiting = store_old(half, 8, 10)
    end(half, store_old(half, 8, 10))
    half.store_events(1)
    sweep(half)
    left = {row[0] for row in rows(half.app, "SELECT id FROM deliveries")}
    assert {due.id for due in waiting} <= left
    assert count(half, "events") == 11
    assert set(half.states(webhook)) == {("queued", "waiting_turn")}


def test_what_is_resent_the_moment_before_it_goes_stays(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    dues = store_old(half, 8, 3)
    end(half, dues)
    (newest,) = half.store_events(1)
    measured = half.store.measured

    def after_a_resend(job: Callable[[Connection], Any]) -> Any:
        monkeypatch.setattr(half.store, "measured", measured)
        half.act(resend, dues[1].id)
        return measured(job)

    monkeypatch.setattr(half.store, "measured", after_a_resend)
    sweep(half)
    assert [row[0] for row in rows(half.app, "SELECT id FROM deliveries ORDER BY id")] == [
        dues[1].id,
        newest.id,
    ]
    assert half.states(webhook)[0] == ("queued", "resent")
    assert count(half, "events") == 2


@pytest.mark.postgresql
def test_what_another_process_resends_while_it_goes_stays(
    postgresql_app: Flask, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sending(postgresql_app) as half:
        webhook = half.webhook(URL, state=WebhookState.PAUSED)
        dues = store_old(half, 8, 3)
        end(half, dues)
        half.store_events(1)
        other, not_due = create_engine(postgresql_url), purge._not_due

        def not_due_then_a_resend(connection: Connection, ids: list[int]) -> list[int]:
            found = not_due(connection, ids)
            again = f"state = 'queued', reason = 'resent' WHERE id = {dues[1].id}"
            with other.begin() as resending:
                resending.exec_driver_sql(f"UPDATE deliveries SET {again}")
                resending.exec_driver_sql("UPDATE webhook_health SET created = created + 1")
            monkeypatch.setattr(purge, "_not_due", not_due)
            return found

        monkeypatch.setattr(purge, "_not_due", not_due_then_a_resend)
        sweep(half)
        other.dispose()
        assert half.states(webhook)[0] == ("queued", "resent")
        assert count(half, "events") == 2
        assert half.health(webhook).created == 5


def test_unwanted_events_go_after_a_day(half: Sending) -> None:
    store_old(half, 2, 9)
    store_old(half, 0.5, 3)
    half.webhook(URL, state=WebhookState.PAUSED)
    end(half, store_old(half, 2, 4))
    sweep(half)
    assert count(half, "events", "note = 'unwanted'") == 3
    assert count(half, "events", "note IS NULL") == 4


def test_the_newest_event_stays_however_old_it_is(half: Sending) -> None:
    store_old(half, 30, 9)
    newest = rows(half.app, "SELECT MAX(id) FROM events")[0][0]
    sweep(half)
    assert [row[0] for row in rows(half.app, "SELECT id FROM events")] == [newest]


def test_what_waited_too_long_expires_in_batches(half: Sending) -> None:
    webhook = half.webhook(URL, max_age=1)
    # They are not offered to a lane, so no lane sends them before.
    store_old(half, 0.5, 10)
    store_old(half, 0.0, 2)
    assert half.housekeeping.step()
    assert half.states(webhook).count(("expired", "max_age")) == 4
    sweep(half)
    states = half.states(webhook)
    assert states == [("expired", "max_age")] * 10 + [("queued", "waiting_turn")] * 2
    half.check_totals(webhook)


def test_what_waits_for_a_deleted_webhook_is_cancelled_before_the_webhook_goes(
    half: Sending,
) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    half.store_events(10)
    half.delete(webhook)
    half.housekeeping.step()
    assert half.states(webhook).count(("cancelled", "webhook_deleted")) == 4
    assert half.health(webhook).cancelled == 4
    sweep(half)
    assert set(half.states(webhook)) == {("cancelled", "webhook_deleted")}
    assert count(half, "webhooks") == count(half, "webhook_health") == 0
    assert count(half, "events") == 10


def test_a_deleted_company_disappears_completely(half: Sending) -> None:
    half.webhook(URL, state=WebhookState.PAUSED)
    store_old(half, 1, 10)
    gone, half.company = half.company, world.make_company(half.app, token="another-token-000001")
    half.webhook(URL, state=WebhookState.PAUSED)
    half.store_events(3)

    def job(session: Session) -> None:
        delete_company(session, find_company(session, gone))

    half.store.session(job)
    half.company, other = gone, half.company
    half.lanes.apply([], [row[0] for row in rows(half.app, "SELECT MIN(id) FROM webhooks")])
    half.housekeeping.step()
    assert ("cancelled", "company_deleted") in half.states(1)
    sweep(half)
    assert [row[0] for row in rows(half.app, "SELECT id FROM companies")] == [other]
    for table in ("events", "webhooks", "connections", "hourly_events"):
        assert count(half, table, f"company_id = {gone}") == 0
        assert count(half, table, f"company_id = {other}") > 0
    assert count(half, "deliveries") == count(half, "events") == 3


def test_idle_housekeeping_looks_seldom(half: Sending) -> None:
    assert not half.housekeeping.step()
    assert half.housekeeping.pause == housekeeping.PAUSE_IDLE
