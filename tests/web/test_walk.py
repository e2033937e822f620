"""Every address, for every kind of visitor: a new page cannot forget its guard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.routing import Rule

from tests.support.application import store_of
from tests.web.conftest import Place
from tests.web.support.authenticator import STEP, give_password, turn_on
from tests.web.support.browser import Browser

PUBLIC = {"login.show", "login.first", "second_step.show", "health.show", "static"}
# What an operator does not have, also of a company of theirs.
FOR_ADMINISTRATORS = {
    "company_editing.create",
    "company_editing.edit",
    "company_editing.delete",
    "webhook_editing.create",
    "webhooks.delete",
    "users.index",
    "users.create",
    "users.edit",
    "users.delete",
    "users.reset_second_factor",
    "audit.index",
    "exports.entries",
    "privacy.show",
    "privacy.expunge",
}
DELIVERY = 1


def rules(app: Flask) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in PUBLIC:
            yield rule


@pytest.fixture
def addresses(app: Flask, place: Place) -> dict[str, str]:
    """The address of every guarded page by its endpoint, with ids of Beto's company."""

    def job(connection: object) -> None:
        connection.execute(text(_EVENT), {"company": place.company})  # type: ignore[attr-defined]
        connection.execute(text(_DELIVERY), {"webhook": place.webhook})  # type: ignore[attr-defined]
        of = {"company": place.company, "webhook": place.webhook}
        connection.execute(text(_RESEND), of)  # type: ignore[attr-defined]

    store_of(app).run(job)
    ids = {
        "company_id": place.company,
        "webhook_id": place.webhook,
        "delivery_id": DELIVERY,
        "user_id": 1,
        "public_id": "evt_1",
        "resend_id": 1,
    }
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        return {
            rule.endpoint: urls.build(rule.endpoint, {name: ids[name] for name in rule.arguments})
            for rule in rules(app)
        }


_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) VALUES (1, 'evt_1', :company, 'agent-is-idle', '{}',"
    " 'agent:1', 'socket', 'abcd…wxyz', 1795600000000, 0)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (1, 1, :webhook, 'agent:1', 'queued', 'waiting_turn', 0, 0, 0)"
)
_RESEND = (
    "INSERT INTO bulk_resends (id, company_id, webhook_id, asked_by, asked_ms, states, event,"
    " begins, upto, cursor, total, total_is_cut, queued, skipped,"
    " delivered, failed, waiting, state)"
    " VALUES (1, :company, :webhook, 'cli', 0, '[\"refused\"]', '', 0, 1, 0, 1, FALSE, 0, 0, 0, 0,"
    " '[]', 'running')"
)


def methods(app: Flask, endpoint: str) -> set[str]:
    found: set[str] = set()
    for rule in app.url_map.iter_rules(endpoint):
        found |= (rule.methods or set()) & {"GET", "POST"}
    return found


@pytest.mark.usefixtures("ana")
def test_whoever_is_not_logged_in_is_sent_to_log_in(
    app: Flask, addresses: dict[str, str], visitor: Browser
) -> None:
    for endpoint, address in addresses.items():
        for method in methods(app, endpoint):
            answer = visitor.client.open(address, method=method)
            assert (answer.status_code, answer.location) == (303, "/entrar"), (method, endpoint)


def test_whoever_gave_only_the_password_is_sent_to_log_in(
    app: Flask, addresses: dict[str, str], ana: Browser, visitor: Browser
) -> None:
    turn_on(ana)
    give_password(visitor)
    for endpoint, address in addresses.items():
        for method in methods(app, endpoint):
            answer = visitor.client.open(address, method=method)
            assert (answer.status_code, answer.location) == (303, "/entrar"), (method, endpoint)
    # The password was not forgotten meanwhile: it really is half a login that opened nothing.
    visitor.get(STEP)


@pytest.mark.usefixtures("ana")
def test_the_operator_of_another_company_finds_nothing_there(
    app: Flask, addresses: dict[str, str], carla: Browser
) -> None:
    """Ana is there so that user_1 is not Carla."""
    for endpoint, address in addresses.items():
        if not app.url_map._rules_by_endpoint[endpoint][0].arguments:
            continue
        for method in methods(app, endpoint):
            if method == "GET":
                carla.get(address, 404)
            else:
                carla.post(address, 404)


@pytest.mark.usefixtures("ana")
def test_an_operator_has_every_page_of_the_company_but_those_of_administrators(
    app: Flask, addresses: dict[str, str], beto: Browser
) -> None:
    for endpoint, address in addresses.items():
        if "GET" not in methods(app, endpoint) or endpoint.endswith(".watch"):
            continue
        beto.get(address, 404 if endpoint in FOR_ADMINISTRATORS else 200)


def test_an_administrator_has_every_page(
    app: Flask, addresses: dict[str, str], ana: Browser
) -> None:
    for endpoint, address in addresses.items():
        if "GET" in methods(app, endpoint) and not endpoint.endswith(".watch"):
            ana.get(address)


def test_no_code_is_taken_without_the_forms_token(ana: Browser, visitor: Browser) -> None:
    turn_on(ana)
    give_password(visitor)
    assert "Não entendemos este pedido" in visitor.send(STEP, {"code": "123456"}, 400).text


def test_nothing_is_taken_without_the_forms_token(
    app: Flask, addresses: dict[str, str], ana: Browser
) -> None:
    for endpoint, address in addresses.items():
        if "POST" in methods(app, endpoint):
            answer = ana.send(address, {}, 400)
            assert "Não entendemos este pedido" in answer.text, endpoint


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "address",
    [
        "/empresas/company_999",
        "/empresas/webhook_1",
        "/empresas/1",
        "/empresas/company_0",
        "/empresas/company_1' OR 1=1",
        "/empresas/company_99999999999999999999",
        "/webhooks/webhook_999",
        "/entregas/delivery_999",
        "/entregas?webhook=webhook_999",
        "/entregas?webhook=1",
        "/entregas?estado=qualquer",
        "/entregas?periodo=sempre",
        "/usuarios/user_999",
        "/nada",
    ],
)
def test_what_is_unknown_is_not_found(address: str, ana: Browser) -> None:
    ana.get(address, 404)
