"""How much the watcher does without letting others run, when all webhooks recover at once."""

from __future__ import annotations

import time

from flask import Flask
from sqlalchemy import Connection, text

from tests.support.application import make_company, make_webhook, rows, store_of
from tests.support.hub_watch import stretches
from webhookproxy.alerts.watching.watcher import Watcher
from webhookproxy.extensions import db

WEBHOOKS = 12
# What is known of alerts and people takes a few; each alert that ends takes three more.
STATEMENTS_AT_A_STRETCH = 12


def fill(app: Flask, began_ms: int) -> None:
    """Store webhooks that have failed since then."""
    company = make_company(app)
    for number in range(WEBHOOKS):
        make_webhook(app, company, f"http://127.0.0.1:4009/{number}")

    def job(connection: Connection) -> None:
        failing = "UPDATE webhook_health SET failing_since = :at, circuit_opened_at = :at"
        connection.execute(text(failing), {"at": began_ms})

    store_of(app).run(job)


def recover(app: Flask, now_ms: int) -> None:
    """Store that they have worked since then."""

    def job(connection: Connection) -> None:
        works = "UPDATE webhook_health SET working_since = :at, circuit_opened_at = NULL"
        connection.execute(text(works), {"at": now_ms})

    store_of(app).run(job)


def test_many_alerts_that_end_at_once_let_others_run_between_few_statements(app: Flask) -> None:
    now_ms = round(time.time() * 1000)
    fill(app, now_ms - 3_600_000)
    with app.app_context():
        reading = db.engine
    watcher = Watcher(store_of(app), reading)
    with stretches(reading) as found:
        watcher.step()
        recover(app, now_ms - 120_000)
        watcher.step()
    assert rows(app, "SELECT COUNT(*), COUNT(closed_at) FROM alerts") == [(WEBHOOKS, WEBHOOKS)]
    assert found.most <= STATEMENTS_AT_A_STRETCH, "\n".join(found.longest)
