"""Every address, for every kind of visitor: a new page cannot forget its guard."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.web.support.addresses import methods
from tests.web.support.authenticator import STEP, give_password, turn_on
from tests.web.support.browser import Browser

# What an operator does not have, also of a company of theirs.
FOR_ADMINISTRATORS = {
    "company_editing.create",
    "company_editing.edit",
    "company_editing.delete",
    "next_token.show",
    "next_token.act_on",
    "webhook_editing.create",
    "recipes.index",
    "recipes.use",
    "webhooks.delete",
    "guest_links.show",
    "guest_links.revoke",
    "recording_links.show",
    "recording_links.revoke",
    "recording_links.revoke_one",
    "users.index",
    "users.create",
    "users.edit",
    "users.delete",
    "users.reset_second_factor",
    "password_links.make",
    "alert_history.installation",
    "audit.index",
    "exports.entries",
    "privacy.show",
    "privacy.expunge",
    "processes.show",
    "processes.watch",
}


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
        # A page of administrators refuses before it looks anything up.
        status = 403 if endpoint in FOR_ADMINISTRATORS else 404
        for method in methods(app, endpoint):
            if method == "GET":
                carla.get(address, status)
            else:
                carla.post(address, status)


def test_what_is_forbidden_does_not_say_whether_it_exists(beto: Browser) -> None:
    for address in ("/usuarios/user_1", "/usuarios/user_999", "/empresas/company_999/editar"):
        assert "Sem permissão" in beto.get(address, 403).text
    assert "Página não encontrada" in beto.get("/empresas/company_2", 404).text


@pytest.mark.usefixtures("ana")
def test_an_operator_has_every_page_of_the_company_but_those_of_administrators(
    app: Flask, addresses: dict[str, str], beto: Browser
) -> None:
    for endpoint, address in addresses.items():
        if "GET" not in methods(app, endpoint) or endpoint.endswith(".watch"):
            continue
        beto.get(address, 403 if endpoint in FOR_ADMINISTRATORS else 200)


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
