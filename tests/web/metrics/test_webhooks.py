"""The lines of the webhooks in /metrics: many of them, slowly, by the index."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from tests.support.application import make_company, make_webhook
from tests.support.hub_watch import least_held
from tests.web.metrics.scraping import ALLOWED, Scraped, scrape
from tests.web.support.sockets import execute, owner
from webhookproxy.web.metrics import webhooks

NAMES = (
    "waiting",
    "oldest_waiting_seconds",
    "circuit_open",
    "paused",
    "delivered_total",
    "refused_total",
)
LINES = [f"webhookproxy_webhook_{name}" for name in NAMES]


def wait_since(app: Flask, delivery: int, webhook: int, born_ms: int) -> None:
    execute(
        app,
        "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
        " attempts, born_ms) VALUES (:id, 1, :webhook, '', 'queued', 'waiting_turn', 0, 0, :born)",
        id=delivery,
        webhook=webhook,
        born=born_ms,
    )


def test_the_rest_beyond_the_own_lines_is_added_up(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "OWN_LINES", 2)
    monkeypatch.setattr(webhooks, "AT_ONCE", 3)
    company = make_company(any_app)
    made = [make_webhook(any_app, company, f"http://127.0.0.1:4009/{each}") for each in range(7)]
    gone = make_company(any_app, token="canary-token-of-the-company-0002")
    make_webhook(any_app, gone, "http://127.0.0.1:4009/gone")
    execute(any_app, "UPDATE companies SET deleted_at = 1 WHERE id = :id", id=gone)
    execute(any_app, "UPDATE webhooks SET deleted_at = 1 WHERE id = :id", id=made[1])
    execute(
        any_app,
        "UPDATE webhook_health SET created = 10, delivered = 4, refused = 1,"
        " circuit_opened_at = CASE WHEN webhook_id > :id THEN 1 END",
        id=made[4],
    )
    now_ms = round(time.time() * 1000)
    # Webhook 4 was paused for 30 s after 90 s of waiting; webhook 6 was paused for an hour before.
    execute(
        any_app,
        "UPDATE webhooks SET paused_at = :at WHERE id = :id",
        at=now_ms - 30_000,
        id=made[3],
    )
    execute(any_app, "UPDATE webhooks SET paused_ms = 3600000 WHERE id = :id", id=made[5])
    wait_since(any_app, 1, made[3], now_ms - 120_000)
    wait_since(any_app, 2, made[5], now_ms - 3_600_000 - 40_000)
    wait_since(any_app, 3, made[5], now_ms - 3_600_000 - 10_000)
    found = scrape(any_app)
    own = [f"webhook_{made[0]}", f"webhook_{made[2]}"]
    for line in LINES:
        assert found.labels(line, "webhook") == [*own, "others"], line
    others = [found.value(line, webhook="others") for line in LINES]
    assert others[0] == 4 * 5
    assert 89 < others[1] < 150
    assert others[2:] == [2, 1, 4 * 4, 4 * 1]
    assert found.value(LINES[2], webhook=own[0]) == 0


def test_each_webhook_has_its_line_as_long_as_there_are_not_too_many(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "OWN_LINES", 2)
    monkeypatch.setattr(webhooks, "AT_ONCE", 2)
    assert scrape(app).labels(LINES[0], "webhook") == []
    company = make_company(app)
    for each in range(2):
        make_webhook(app, company, f"http://127.0.0.1:4009/{each}")
    assert scrape(app).labels(LINES[0], "webhook") == ["webhook_1", "webhook_2"]


COPIED = "company_id, name, url, state, parallelism, timeout, max_age, paused_ms, created_at"
NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
WEBHOOKS = (
    f"INSERT INTO webhooks (id, {COPIED}, saved_at, version)"
    f" {NUMBERS} SELECT i, {COPIED}, saved_at, version FROM webhooks, n"
)
HEALTH = (
    "INSERT INTO webhook_health (webhook_id, created, delivered, refused, expired, cancelled,"
    f" simulated, failed_probes) {NUMBERS} SELECT i, 9, 4, 1, 1, 1, 1, 0 FROM n"
)
WAITING = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    f" born_ms) {NUMBERS} SELECT i, 1, i, '', 'queued', 'waiting_turn', 0, 0, 1 FROM n"
)


def make_many(app: Flask, count: int) -> None:
    """Make copies of one webhook, each with a delivery that waits."""
    make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    for statement in (WEBHOOKS, HEALTH, WAITING):
        execute(app, statement, count=count)


@pytest.mark.slow
@pytest.mark.parametrize("count", [webhooks.OWN_LINES + 1, webhooks.OWN_LINES + 4_000])
def test_the_text_of_many_webhooks_holds_the_hub_for_less_than_20_ms_at_a_time(
    app: Flask, count: int
) -> None:
    make_many(app, count)
    owner(app)
    # What is imported and compiled once is not counted.
    scrape(app)
    texts: list[str] = []

    def ask() -> None:
        app.extensions.pop("metrics")
        texts.append(app.test_client().get("/metrics", headers=ALLOWED).text)

    longest, by = least_held(ask, 20)
    found = Scraped(texts[-1])
    labels = found.labels(LINES[0], "webhook")
    assert (len(labels), labels[-1]) == (webhooks.OWN_LINES + 1, "others")
    assert found.value(LINES[0], webhook="others") == count - webhooks.OWN_LINES
    assert longest < 20, by
