"""Running a webhook: pausing, resuming, simulating and testing it, also as an operator."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask

from tests.support.application import make_webhook, rows
from tests.support.receiver import Receiver
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.webhooks.test_pages import address_of, change, situation

_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) VALUES (1, 'evt_1', :company, 'agent-is-idle', '{}',"
    " 'agent:1', 'socket', 'abcd…wxyz', 1795600000000, 0)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (7, 1, :webhook, 'agent:1', 'queued', 'waiting_turn', 0, 0, 0)"
)
_TOTALS = "UPDATE webhook_health SET created = 1 WHERE webhook_id = :webhook"


@pytest.fixture
def waiting(app: Flask, place: Place) -> None:
    """One delivery waits for the webhook."""
    change(app, _EVENT, company=place.company)
    change(app, _DELIVERY, webhook=place.webhook)
    change(app, _TOTALS, webhook=place.webhook)


def state_of(app: Flask, webhook: int) -> tuple[str, int]:
    """The state, and up to which delivery everything is to be discarded."""
    query = "SELECT state, coalesce(discard_until, 0) FROM webhooks WHERE id = :id"
    state, until = rows(app, query, id=webhook)[0]
    return state, until


def actions(app: Flask) -> list[str]:
    query = "SELECT action FROM audit WHERE action LIKE 'webhook%' ORDER BY id"
    return [row[0] for row in rows(app, query)]


@pytest.mark.usefixtures("waiting")
def test_an_operator_pauses_and_resumes_with_what_waited(
    app: Flask, beto: Browser, place: Place
) -> None:
    address = address_of(place.webhook)
    assert beto.post(address + "/pausar").location == address
    assert state_of(app, place.webhook) == ("paused", 0)
    assert "Pausado" in situation(beto.get(address).text)
    page = beto.get(address + "/retomar").text
    assert "1 entrega esperou. O que fazer com ela?" in page
    beto.post(address + "/retomar", esperando="entregar")
    assert state_of(app, place.webhook) == ("active", 0)
    assert actions(app) == ["webhook_paused", "webhook_resumed"]


@pytest.mark.usefixtures("waiting")
def test_what_waited_may_be_discarded(app: Flask, beto: Browser, place: Place) -> None:
    address = address_of(place.webhook)
    beto.post(address + "/pausar")
    beto.post(address + "/retomar", esperando="descartar")
    assert state_of(app, place.webhook) == ("active", 7)
    assert "O que esperava foi descartado" in beto.get(address).text


@pytest.mark.usefixtures("waiting")
def test_nothing_is_said_to_be_discarded_that_somebody_else_resumed(
    app: Flask, beto: Browser, place: Place
) -> None:
    address = address_of(place.webhook)
    beto.post(address + "/retomar", esperando="descartar")
    assert state_of(app, place.webhook) == ("active", 0)
    assert "descartado" not in beto.get(address).text
    assert not actions(app)


def test_nothing_is_asked_where_nothing_waited(beto: Browser, place: Place) -> None:
    address = address_of(place.webhook)
    beto.post(address + "/pausar")
    assert "O que fazer com" not in beto.get(address + "/retomar").text


@pytest.mark.usefixtures("waiting")
def test_simulating_says_that_what_waits_is_not_sent(
    app: Flask, beto: Browser, place: Place
) -> None:
    address = address_of(place.webhook)
    assert "1 entrega que espera também será simulada" in beto.get(address + "/simular").text
    beto.post(address + "/simular")
    assert state_of(app, place.webhook) == ("simulated", 0)
    page = situation(beto.get(address).text)
    assert "Simulado" in page
    assert "/retomar" in page


def made_for(app: Flask, place: Place, receiver: Receiver) -> str:
    webhook = make_webhook(
        app,
        place.company,
        receiver.url() + "?key=canary-in-url",
        secret="canary-secret",
        authorization="canary-authorization",
    )
    return address_of(webhook)


def test_a_test_shows_what_was_sent_without_secrets_and_what_came_back(
    app: Flask, beto: Browser, place: Place, receiver: Receiver
) -> None:
    address = made_for(app, place, receiver)
    page = html.unescape(beto.post(address + "/testar", 200, evento="agent-is-idle").text)
    (received,) = receiver.requests
    assert received.headers["Authorization"] == "Bearer canary-authorization"
    assert received.body.decode() in page
    assert "Aceito, HTTP 200" in page
    assert '{"status":"ok"}' in page
    assert "canary" not in page
    assert received.headers["X-Signature-SHA256"] not in page
    # Another test is of the same event.
    assert re.search(r'name="evento" value="agent-is-idle"', page)
    assert actions(app) == ["webhook_tested"]


def test_the_audit_has_the_name_of_a_tested_event_only_if_there_is_such_an_event(
    app: Flask, beto: Browser, place: Place, receiver: Receiver
) -> None:
    """A token that was pasted there could never be taken out again."""
    address = made_for(app, place, receiver)
    for name in ("canary-token-pasted-there", "agent-is-idle"):
        beto.post(address + "/testar", 200, evento=name)
    assert rows(app, "SELECT detail FROM audit WHERE action = 'webhook_tested' ORDER BY id") == [
        ("",),
        ("agent-is-idle",),
    ]


def test_a_test_that_fails_says_why_and_what_to_do(
    app: Flask, beto: Browser, place: Place, receiver: Receiver
) -> None:
    receiver.answer = (500, {}, b"<script>alert(1)</script>")
    page = beto.post(made_for(app, place, receiver) + "/testar", 200).text
    assert "Falhou, HTTP 500" in page
    assert "Corpo, em linhas para ler" in page
    assert "Cabeçalhos da resposta" in page
    assert "<script>alert" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert "O teste não é tentado de novo." in page


def test_a_test_of_a_closed_port_shows_no_exception(
    beto: Browser, app: Flask, place: Place
) -> None:
    with Receiver() as receiver:
        address = made_for(app, place, receiver)
    page = beto.post(address + "/testar", 200).text
    assert "Falhou, sem resposta" in page
    for word in ("Error", "Errno", "refused", "Connection"):
        assert word not in page


def test_what_is_no_event_name_is_not_sent(
    app: Flask, beto: Browser, place: Place, receiver: Receiver
) -> None:
    page = beto.post(made_for(app, place, receiver) + "/testar", 200, evento="*").text
    assert "Nada foi enviado. Isto não é um nome de evento" in page
    assert not receiver.requests


def test_tests_are_throttled(app: Flask, beto: Browser, place: Place, receiver: Receiver) -> None:
    address = made_for(app, place, receiver) + "/testar"
    for _ in range(20):
        beto.post(address, 200)
    answer = beto.post(address, 429)
    assert "Muitas tentativas em pouco tempo" in answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(receiver.requests) == 20


def test_the_operator_of_another_company_runs_nothing(
    app: Flask, carla: Browser, place: Place
) -> None:
    for act in ("pausar", "retomar", "simular", "testar", "excluir"):
        carla.post(f"{address_of(place.webhook)}/{act}", 403 if act == "excluir" else 404)
    assert state_of(app, place.webhook) == ("active", 0)
