"""How much the job does without letting others run, when all webhooks begin to fail at once."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from tests.support.application import make_company, make_webhook, rows, store_of
from tests.support.hub_watch import stretches
from webhookproxy.extensions import db
from webhookproxy.troubles import accounts
from webhookproxy.troubles.outages import Outages

WEBHOOKS, EVENTS = 30, 3_000
# Of one webhook: its outages, whether it is known, its first and last delivery, and a round.
STATEMENTS_AT_A_STRETCH = 7


def fill(app: Flask, began_ms: int) -> None:
    """Store failing webhooks, each with a delivery of every tenth event."""
    company = make_company(app)
    for number in range(WEBHOOKS):
        make_webhook(app, company, f"http://127.0.0.1:4009/{number}")
    events = [
        {"id": each, "public": f"evt_{each}", "at": began_ms - 600_000 + each * 200}
        for each in range(1, EVENTS + 1)
    ]

    def job(connection: Connection) -> None:
        connection.execute(
            text(
                "INSERT INTO events (id, public_id, company_id, name, payload, order_key,"
                " socket_id, token_mask, received_ms, hidden)"
                " VALUES (:id, :public, 1, 'x', '{}', '', '', '', :at, 0)"
            ),
            events,
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
                " attempts, born_ms) SELECT e.id * 100 + w.id, e.id, w.id, 'call:' || e.id,"
                " 'queued', 'waiting_turn', 0, 0, e.received_ms FROM events e JOIN webhooks w"
                " ON e.id % 10 = 0"
            )
        )
        connection.execute(text("UPDATE webhook_health SET failing_since = :at"), {"at": began_ms})

    store_of(app).run(job)


def recover(app: Flask, now_ms: int) -> None:
    """Let everything be delivered."""

    def job(connection: Connection) -> None:
        at = {"at": now_ms}
        connection.execute(text("UPDATE webhook_health SET working_since = :at"), at)
        connection.execute(text("UPDATE deliveries SET state = 'delivered', ended_ms = :at"), at)

    store_of(app).run(job)


def test_many_outages_that_begin_and_end_at_once_let_others_run_between_few_statements(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(accounts, "ROUND", 100)
    now_ms = round(time.time() * 1000)
    fill(app, now_ms - 300_000)
    with app.app_context():
        reading = db.engine
    outages = Outages(store_of(app), reading)
    with stretches(reading) as found:
        for _ in range(2):
            outages.step()
        recover(app, now_ms)
        # They end, and are counted in the next round.
        for _ in range(4):
            outages.step()
    counted = rows(app, "SELECT waited, delivered, calls FROM outages")
    assert len(counted) == WEBHOOKS
    assert {tuple(each) for each in counted} == {(EVENTS // 10, EVENTS // 10, EVENTS // 10)}
    assert found.most <= STATEMENTS_AT_A_STRETCH, "\n".join(found.longest)
