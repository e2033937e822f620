"""Finding and taking out what is stored of a person, from the page."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from webhookproxy.maintenance import privacy

PHONE = "(42) 99988-1234"
DIGITS = "42999881234"


@pytest.fixture
def stored(app: Flask, place: Place) -> None:
    """Two events with the telephone, one of which still waits, and one without."""

    def job(connection: object) -> None:
        for number, payload in enumerate(
            (f'{{"phone": "55{DIGITS}"}}', f'{{"note": "{PHONE}"}}', '{"phone": "1133334444"}'), 1
        ):
            values = {"id": number, "company": place.company, "payload": payload}
            connection.execute(text(_EVENT), values)  # type: ignore[attr-defined]
        connection.execute(text(_DELIVERY), {"webhook": place.webhook})  # type: ignore[attr-defined]

    store_of(app).run(job)


_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) VALUES (:id, 'evt_' || :id, :company, 'agent-is-idle',"
    " :payload, 'agent:1', 'socket', 'abcd…wxyz', 1795600000000, 0)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (1, 1, :webhook, 'agent:1', 'queued', 'waiting_turn', 0, 0, 0)"
)


def payloads(app: Flask) -> str:
    return str(rows(app, "SELECT payload FROM events ORDER BY id"))


@pytest.mark.usefixtures("stored")
def test_it_says_in_how_many_events_of_which_company_the_number_is(ana: Browser) -> None:
    page = ana.post("/privacidade", 200, number=PHONE).text
    assert "Este número está guardado" in page
    assert "Televendas Guarapuava</a>: 2 eventos" in page
    assert "1 entrega" in page


@pytest.mark.usefixtures("stored")
def test_it_is_masked_only_once_that_is_confirmed(app: Flask, ana: Browser) -> None:
    found = ana.post("/privacidade", 200, number=PHONE).text
    asked = ana.send("/privacidade/apagar", form_fields(found), 200).text
    assert "Apagar este número de tudo?" in asked
    assert DIGITS in payloads(app)
    done = ana.send("/privacidade/apagar", form_fields(asked), 200).text
    assert "Apagado de 2 eventos" in done
    assert "1 entrega que esperava foi cancelada" in done
    assert DIGITS not in payloads(app)
    assert PHONE not in payloads(app)
    assert "1133334444" in payloads(app)
    assert "não está guardado" in ana.post("/privacidade", 200, number=PHONE).text


@pytest.mark.usefixtures("stored")
def test_the_number_is_in_no_address_log_audit_or_session(
    app: Flask, ana: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    done = ana.post("/privacidade/apagar", 200, number=PHONE, confirmado="sim")
    assert done.request.query_string == b""
    assert done.headers["Cache-Control"] == "no-store"
    audit = str(rows(app, "SELECT who, action, subject, detail FROM audit"))
    assert "privacy_expunge" in audit
    for where in (caplog.text, audit, done.text):
        assert "99988-1234" not in where
        assert "999881234" not in where


def test_a_session_that_expired_keeps_no_number(ana: Browser) -> None:
    fields = {"csrf_token": ana.token(), "number": PHONE}
    ana.client.delete_cookie("session")
    assert ana.send("/privacidade", fields, 303).location == "/entrar"
    with ana.client.session_transaction() as session:
        assert "99988" not in str(dict(session))


@pytest.mark.parametrize("typed", ["123", "ana@exemplo.com.br", ""])
def test_what_is_no_number_is_said_with_how_to_mend_it(ana: Browser, typed: str) -> None:
    page = ana.post("/privacidade", 200, number=typed).text
    assert "Informe um telefone com DDD" in page


def test_a_number_in_a_setting_is_reported(app: Flask, ana: Browser, place: Place) -> None:
    def job(connection: object) -> None:
        connection.execute(  # type: ignore[attr-defined]
            text("UPDATE companies SET name = :name WHERE id = :id"),
            {"name": f"Maria {PHONE}", "id": place.company},
        )

    store_of(app).run(job)
    page = ana.post("/privacidade", 200, number=PHONE).text
    assert f'nome de <a href="/empresas/company_{place.company}/editar">' in page


def test_an_area_code_in_a_field_of_its_own_leads_to_the_event(
    app: Flask, ana: Browser, place: Place
) -> None:
    values = {"id": 7, "company": place.company, "payload": '{"ddd":"42","n":"999881234"}'}
    store_of(app).run(lambda connection: connection.execute(text(_EVENT), values))
    page = ana.post("/privacidade", 200, number=PHONE).text
    assert "não está guardado" in page
    assert '<a href="/eventos/evt_7">' in page


def test_a_search_beside_another_is_refused_in_a_sentence(
    ana: Browser,
) -> None:
    with privacy._alone():
        assert (
            "Outra busca por um número está em andamento"
            in ana.post("/privacidade", 200, number=PHONE).text
        )
    assert "não está guardado" in ana.post("/privacidade", 200, number=PHONE).text


def test_operators_have_no_such_page(beto: Browser) -> None:
    beto.get("/privacidade", 403)
    beto.post("/privacidade/apagar", 403, number=PHONE, confirmado="sim")
    assert "/privacidade" not in beto.get("/").text
