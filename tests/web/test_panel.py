"""The panel: is everything all right?"""

from __future__ import annotations

import re
import time

import gevent
import pytest
from flask import Flask

from tests.support.application import make_company, make_webhook
from tests.support.hub_watch import stretches
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import arrived, connection, execute, owner
from webhookproxy.config.keys import Keyring
from webhookproxy.extensions import db
from webhookproxy.web import panel
from webhookproxy.web.companies import open_problems, problems

SOON_MS = 1000


@pytest.fixture(autouse=True)
def owned(app: Flask) -> None:
    """A process owns the sockets."""
    owner(app)


def connect(app: Flask, company: int) -> None:
    heard = int(time.time() * 1000) + SOON_MS
    connection(app, company, "connected", "accepted", events=1, last_event_at=heard)


def fail(app: Flask, webhook: int) -> None:
    """A webhook whose receiver has not answered for long."""
    execute(
        app,
        "UPDATE webhook_health SET circuit_opened_at = :now WHERE webhook_id = :id",
        now=int(time.time() * 1000),
        id=webhook,
    )


def test_an_empty_installation_says_what_to_do_first(app: Flask, ana: Browser) -> None:
    assert "Cadastrar empresa" in ana.get("/").text
    execute(app, "UPDATE users SET is_admin = :no", no=False)
    page = ana.get("/").text
    assert "Peça a um administrador" in page
    assert "Cadastrar empresa" not in page


def test_with_nothing_switched_on_nothing_is_green(beto: Browser) -> None:
    page = beto.get("/").text
    assert "Nenhuma empresa está ligada" in page
    assert "is-green" not in page


def test_what_is_under_way_is_not_green_either(app: Flask, beto: Browser, place: Place) -> None:
    connection(app, place.company, "connecting", "wished")
    page = beto.get("/").text
    assert "0 de 1 empresa conectada; o resto está conectando" in page
    assert "is-green" not in page


def test_all_connected_is_all_right(app: Flask, beto: Browser, place: Place) -> None:
    connect(app, place.company)
    assert "Tudo certo: 1 empresa conectada e 1 webhook em dia" in beto.get("/").text


def test_the_number_of_problems_is_in_the_title_and_the_icon_marked(
    app: Flask, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_problems, "KEPT_SECONDS", 1_000.0)
    connect(app, place.company)
    page = beto.get("/").text
    assert "<title>Painel · webhookproxy</title>" in page
    assert re.search(r'rel="icon" [^>]* href="/static/icon\.svg', page)
    fail(app, place.webhook)
    page = beto.get("/").text
    assert "<title>(1) Painel · webhookproxy</title>" in page
    assert re.search(r'rel="icon" [^>]* href="/static/icon-problem\.svg', page)
    # Drawn again with the live part, this keeps the title up to date.
    assert 'data-open-problems="1"' in page
    # The other pages have it too, from one look in a few seconds.
    page = beto.get("/conta").text
    assert "<title>(1) " in page
    assert re.search(r'rel="icon" [^>]* href="/static/icon-problem\.svg', page)
    assert "title.js" not in page
    execute(app, "UPDATE webhook_health SET circuit_opened_at = NULL, failures = 0")
    assert "<title>(1) " in beto.get("/conta").text
    app.extensions["open_problems"].clear()
    assert "<title>(" not in beto.get("/conta").text


def test_a_paused_webhook_is_not_counted_as_well(app: Flask, beto: Browser, place: Place) -> None:
    connect(app, place.company)
    execute(app, "UPDATE webhooks SET state = 'paused' WHERE id = :id", id=place.webhook)
    assert "Tudo certo: 1 empresa conectada e 0 webhooks em dia" in beto.get("/").text


def test_problems_come_first_the_cut_off_before_the_failing(
    app: Flask, ana: Browser, place: Place
) -> None:
    connect(app, place.company)
    fail(app, place.webhook)
    connection(app, place.other_company, "token_refused", "kicked")
    page = ana.get("/").text
    assert "2 pontos precisam de atenção" in page
    assert page.index(">Outra Empresa</a>") < page.index("Televendas Guarapuava")
    assert page.index("empresas conectadas") < page.index("precisam de atenção")


def test_an_operator_hears_of_their_companies_problems_only(
    app: Flask, beto: Browser, place: Place
) -> None:
    connect(app, place.company)
    connection(app, place.other_company, "token_refused", "kicked")
    page = beto.get("/").text
    assert "Outra Empresa" not in page
    assert "Tudo certo" in page


def test_many_problems_are_grouped_and_each_group_leads_to_its_companies(
    app: Flask, ana: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "IN_FULL", 2)
    fail(app, place.webhook)
    for company in (place.company, place.other_company):
        connection(app, company, "token_refused", "kicked")
    page = ana.get("/").text
    assert "3 pontos precisam de atenção" in page
    assert page.index("Token recusado em 2 empresas") < page.index("URL falhando em 1 webhook")
    listed = ana.get("/empresas?causa=token-recusado").text
    assert "Outra Empresa" in listed
    assert "Televendas Guarapuava" in listed
    assert "Outra Empresa" not in ana.get("/empresas?causa=falhando").text
    monkeypatch.setattr(panel, "GROUPS_MAX", 1)
    assert "E mais 1 tipo de problema" in ana.get("/").text


def test_the_counters_are_of_ones_own_companies_and_lead_to_what_they_count(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrived(app, place.company, hours_ago=0, count=1500)
    arrived(app, place.other_company, hours_ago=0, count=70_000)
    execute(
        app,
        "UPDATE webhook_health SET created = 9, delivered = 2 WHERE webhook_id = :id",
        id=place.webhook,
    )
    page = beto.get("/").text
    assert ">1.500<" in page
    assert "71.500" not in page
    assert 'href="/entregas?estado=aguardando"><span class="number-value">7<' in page
    beto.get("/entregas?estado=aguardando")
    beto.get("/entregas?periodo=hoje")
    beto.get("/entregas?estado=falhou&periodo=hoje")


def test_many_companies_are_read_a_few_at_a_time_and_without_their_secrets(
    app: Flask, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems, "AT_ONCE", 2)
    monkeypatch.setattr(open_problems, "KEPT_SECONDS", 1_000.0)
    for number in range(5):
        company = make_company(app, token=f"canary-token-of-the-company-{number:04}")
        fail(app, make_webhook(app, company, "http://127.0.0.1:9999/crm", secret="canary-secret"))
    decrypted: list[str] = []

    def decrypt(_: Keyring, text: str) -> str:
        decrypted.append(text)
        return text

    monkeypatch.setattr(Keyring, "decrypt", decrypt)
    for page in ("/", "/empresas"):
        with app.app_context(), stretches(db.engine) as found:
            ana.get(page)
        reads = [
            sum("FROM webhooks" in statement for statement in stretch) for stretch in found.all
        ]
        assert (max(reads), sum(reads)) == (1, 3), page
    assert decrypted == []


def test_others_run_between_what_a_page_read_and_its_text(visitor: Browser) -> None:
    ran: list[str] = []
    other = gevent.spawn(ran.append, "other")
    visitor.client.get("/saude")
    assert ran == []
    visitor.get("/nada", 404)
    assert ran == ["other"]
    other.join(20)
