"""The failed attempts, newest first, apart from what was never tried."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, deliver, insert, now_ms
from webhookproxy.web.deliveries import attempts

NOW = now_ms()


def fail(app: Flask, place: Place, number: int, tries: int, **given: object) -> None:
    """A delivery that waits for its next attempt, the newest of which was a second ago."""
    deliver(app, place.company, place.webhook, number, state="retrying", reason="failed_status")
    rows = [
        attempt_row(
            number,
            each,
            started_ms=NOW - 1_000 * (tries - each + 1) - number,
            answer=f"erro {number}/{each}",
            webhook_id=place.webhook,
            **given,
        )
        for each in range(1, tries + 1)
    ]
    insert(app, attempts=rows)


def said(page: str) -> list[str]:
    return re.findall(r"<code>(erro [0-9/]+)</code>", page)


def test_failed_attempts_come_newest_first_with_what_the_receiver_said(
    app: Flask, beto: Browser, place: Place
) -> None:
    fail(app, place, 1, 2)
    fail(app, place, 2, 1)
    deliver(app, place.company, place.webhook, 3, state="queued", reason="waiting_turn")
    page = beto.get(f"/entregas/tentativas?webhook=webhook_{place.webhook}").text
    assert said(page) == ["erro 1/2", "erro 2/1", "erro 1/1"]
    assert "/entregas/delivery_1?tentativa=2#tentativa-2" in page
    assert "delivery_3" not in page
    assert said(beto.get("/entregas/tentativas").text) == said(page)


def test_accepted_attempts_and_those_of_other_companies_are_not_among_them(
    app: Flask, beto: Browser, ana: Browser, place: Place
) -> None:
    fail(app, place, 1, 1, reason="accepted", status=200)
    deliver(app, place.other_company, place.other_webhook, 2)
    theirs = attempt_row(2, 1, answer="erro 2/1", webhook_id=place.other_webhook)
    insert(app, attempts=[theirs])
    page = beto.get("/entregas/tentativas").text
    assert "Nenhuma tentativa falhou" in page
    assert said(ana.get("/entregas/tentativas").text) == ["erro 2/1"]
    beto.get(f"/entregas/tentativas?webhook=webhook_{place.other_webhook}", 404)


def test_the_pages_of_attempts_lead_on_without_losing_one(
    app: Flask, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts.failed_attempts, "__defaults__", (2,))
    fail(app, place, 1, 5)
    seen: list[str] = []
    path = "/entregas/tentativas"
    while path:
        page = beto.get(path).text
        seen += said(page)
        older = re.search(r'href="(/entregas/tentativas\?[^"]*)">Mais antigas', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"erro 1/{number}" for number in range(5, 0, -1)]


def test_what_waits_for_a_retry_is_listed_apart_from_what_was_never_tried(
    app: Flask, beto: Browser, place: Place
) -> None:
    fail(app, place, 1, 1)
    deliver(app, place.company, place.webhook, 2, state="queued", reason="waiting_turn")
    retrying = beto.get("/entregas?estado=nova-tentativa").text
    queued = beto.get("/entregas?estado=na-fila").text
    assert "delivery_1" in retrying
    assert "delivery_2" not in retrying
    assert "delivery_2" in queued
    assert "delivery_1" not in queued
    both = beto.get("/entregas?estado=aguardando").text
    assert "estado=nova-tentativa" in both
    assert "estado=na-fila" in both


def test_a_reader_sees_no_answer(app: Flask, lena: Browser, place: Place) -> None:
    fail(app, place, 1, 1)
    page = lena.get("/entregas/tentativas").text
    assert "HTTP 500" in page
    assert said(page) == []
    one = lena.get("/entregas/delivery_1").text
    assert "Tentativa 1" in one
    assert "x-request-id" not in one
