"""A webhook in trouble: its cause, the last answer, and the test of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, deliver, insert
from tests.web.support.sockets import execute

ANSWER = '{"error":"banco de dados fora do ar"}'


@pytest.fixture
def failing(app: Flask, place: Place) -> int:
    """A webhook that has failed for an hour, and the number of a delivery that waits."""
    number = deliver(app, place.company, place.webhook, 1, state="retrying", ended_ms=None)
    insert(app, attempts=[attempt_row(1, 1, answer=f"\n{ANSWER}\nmais")])
    began = int(time.time() * 1000) - 3_600_000
    values: dict[str, Any] = {"began": began, "id": place.webhook}
    execute(
        app,
        "UPDATE webhook_health SET created = 9, delivered = 8, failures = 5,"
        " failures_since = :began, last_error = 'failed_status', last_error_status = 500,"
        " last_error_at = :began, failed_delivery_id = 1 WHERE webhook_id = :id",
        **values,
    )
    return number


@pytest.mark.usefixtures("failing")
def test_the_cause_and_the_last_answer_stand_on_every_page_that_shows_the_webhook(
    beto: Browser, place: Place
) -> None:
    for path in (
        "/",
        "/empresas?estado=com-problema",
        f"/empresas/company_{place.company}",
        f"/webhooks/webhook_{place.webhook}",
    ):
        page = beto.get(path).text
        assert "<strong>Sua URL responde com erro: status 500, desde" in page, path
        assert "banco de dados fora do ar" in page, path
        assert "/entregas/delivery_1?tentativa=1#tentativa-1" in page, path
        assert f'action="/webhooks/webhook_{place.webhook}/testar-agora"' in page, path
    page = beto.get(f"/empresas/company_{place.company}/diagnostico").text
    assert "Sua URL responde com erro: status 500, desde" in page
    assert "banco de dados fora do ar" in page


@pytest.mark.usefixtures("failing")
def test_a_reader_sees_the_cause_and_neither_the_answer_nor_the_button(
    lena: Browser, place: Place
) -> None:
    for path in ("/", f"/webhooks/webhook_{place.webhook}"):
        page = lena.get(path).text
        assert "Sua URL responde com erro: status 500, desde" in page
        assert "banco de dados" not in page
        assert "testar-agora" not in page


def test_testing_now_tries_the_event_that_waits(
    app: Flask, beto: Browser, place: Place, failing: int
) -> None:
    beto.post(f"/webhooks/webhook_{place.webhook}/testar-agora")
    assert "Testamos agora com um evento que espera" in beto.get("/conta").text
    noted = rows(app, "SELECT subject FROM audit WHERE action = 'try_now'")
    assert [row.subject for row in noted] == [f"delivery_{failing}"]
    assert rows(app, "SELECT due_ms FROM deliveries")[0].due_ms is None


def test_testing_now_sends_an_example_if_nothing_waits(beto: Browser, place: Place) -> None:
    answer = beto.post(f"/webhooks/webhook_{place.webhook}/testar-agora", 200)
    assert "<h1>Teste</h1>" in answer.text


def test_a_webhook_shows_its_rate_of_success(app: Flask, beto: Browser, place: Place) -> None:
    hour = int(time.time()) // 3600
    for outcome, count in (("delivered", 995), ("refused", 5), ("filtered", 70), ("failed", 9)):
        execute(
            app,
            "INSERT INTO hourly_deliveries VALUES (:webhook, :hour, :outcome, 0, :count)",
            webhook=place.webhook,
            hour=hour,
            outcome=outcome,
            count=count,
        )
    for path in (f"/empresas/company_{place.company}", f"/webhooks/webhook_{place.webhook}"):
        assert "99,5% em 24 h" in beto.get(path).text
