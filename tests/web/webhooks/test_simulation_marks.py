"""A simulated webhook, or a delivery of one, never looks as if it had been sent."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import store_of
from tests.support.receiver import Receiver
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, deliver, insert
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.rules.webhooks import WebhookState

_SIMULATED = {"state": "simulated", "reason": "simulation", "status": None}


@pytest.fixture
def simulated(app: Flask, place: Place) -> Place:
    """A webhook that is simulated, with one delivery of today and one that was refused before."""

    def switch(session: Session) -> None:
        webhook = find_webhook(session, place.webhook)
        switch_webhook(session, webhook, WebhookState.SIMULATED)
        webhook.health.created = webhook.health.simulated = 2

    store_of(app).session(switch)
    deliver(app, place.company, place.webhook, 1, attempts=0, **_SIMULATED)
    deliver(app, place.company, place.webhook, 2, attempts=1, resends=1, **_SIMULATED)
    insert(app, attempts=[attempt_row(2, 1)])
    return place


def words(browser: Browser, path: str) -> str:
    """A page without its tags, and with one space between words."""
    body = browser.get(path).text.partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_every_page_says_that_nothing_was_sent(simulated: Place, beto: Browser) -> None:
    hook, company = f"webhook_{simulated.webhook}", f"company_{simulated.company}"
    for path, said in (
        ("/", "1 webhook simulado: nada é enviado"),
        ("/empresas", "1 simulado"),
        (f"/empresas/{company}", "Simulado"),
        (f"/empresas/{company}", "nada é enviado, 2 simuladas"),
        (f"/webhooks/{hook}", "O webhook está em modo simulado: nada foi enviado."),
        (f"/webhooks/{hook}", "2 entregas simuladas, nada enviado"),
        (f"/webhooks/{hook}", "o teste é um POST de verdade"),
        (f"/entregas?webhook={hook}", "nada foi enviado desta vez"),
        ("/entregas/delivery_1", "Simulada: nada foi enviado"),
        ("/entregas/delivery_1", "O que seria enviado"),
        ("/entregas/delivery_1", "Corpo como seria"),
        ("/entregas/delivery_2", "Simulada: da última vez nada foi enviado."),
        ("/entregas/delivery_2", "O que seria enviado"),
        (f"/webhooks/{hook}/reenviar", "Nada a reenviar"),
        ("/entregas/reenviar?id=delivery_1", "está simulado: as dele não são enviadas"),
        (f"/eventos/evt_{1:032x}", "nada foi enviado"),
        ("/eventos", "Simulada"),
    ):
        assert said in words(beto, path), (path, said)


def test_no_row_of_a_simulated_delivery_speaks_of_an_answer(
    simulated: Place, beto: Browser
) -> None:
    hook = f"webhook_{simulated.webhook}"
    for path in (f"/entregas?webhook={hook}", f"/webhooks/{hook}"):
        page = beto.get(path).text
        rows = re.findall(r'<li class="row-item delivery-row"[^>]*>(.*?)</li>', page, re.DOTALL)
        assert len(rows) == 2
        for row in rows:
            assert "Simulada" in row
            assert "nada foi enviado" in row
            assert "HTTP" not in row
            assert "Entregue" not in row


def test_what_was_resent_says_how_often_wherever_it_is_shown(
    app: Flask, place: Place, beto: Browser
) -> None:
    deliver(app, place.company, place.webhook, 1, resends=1)
    deliver(app, place.company, place.webhook, 2, resends=3)
    for path in (
        "/entregas",
        f"/webhooks/webhook_{place.webhook}",
        f"/empresas/company_{place.company}",
        "/eventos",
    ):
        assert "Reenviada 3 vezes" in words(beto, path), path
        assert words(beto, path).count("Reenviada") == 2, path
    assert "Reenviada 3 vezes" in words(beto, "/entregas/delivery_2")
    assert "Reenviada" in words(beto, f"/eventos/evt_{1:032x}")


def test_the_test_of_a_simulated_webhook_says_that_it_alone_is_sent(
    app: Flask, simulated: Place, beto: Browser
) -> None:
    with Receiver() as receiver:

        def move(session: Session) -> None:
            find_webhook(session, simulated.webhook).url = receiver.url()

        store_of(app).session(move)
        page = beto.post(f"/webhooks/webhook_{simulated.webhook}/testar", 200).text
        assert "Só este teste é um POST de verdade" in page
        assert len(receiver.requests) == 1
