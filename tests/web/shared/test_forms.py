"""What every form promises: nothing typed is lost, nothing is made twice, nothing is hidden."""

from __future__ import annotations

import base64
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from time_machine import Traveller

from tests.support.application import TOKEN, application, rows
from tests.web.conftest import PASSWORD, Place
from tests.web.support.browser import Browser
from webhookproxy.events.catalog import CATALOG
from webhookproxy.models.types import keyring
from webhookproxy.web.shared import drafts

NEW_TOKEN = "canary-token-of-a-new-company"


def company_fields(browser: Browser, **changed: str) -> dict[str, str]:
    return {**browser.fields("/empresas/nova"), "name": "Nova", "token": NEW_TOKEN, **changed}


def test_errors_stand_beside_the_field_and_above_the_form_and_values_are_kept(
    ana: Browser,
) -> None:
    fields = company_fields(ana, name="", token="with a space", threec_id="12345")
    page = ana.send("/empresas/nova", fields, 200).text
    assert page.count("Informe o nome da empresa.") == 2
    assert page.count("O token tem espaços ou caracteres de controle") == 2
    assert 'value="12345"' in page
    assert "with a space" not in page


def test_a_form_that_is_sent_twice_makes_one_row(app: Flask, ana: Browser, place: Place) -> None:
    fields = company_fields(ana)
    answers = [ana.send("/empresas/nova", fields, 303).location for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(rows(app, "SELECT 1 FROM companies WHERE name = 'Nova'")) == 1
    address = f"/empresas/company_{place.company}/webhooks/novo"
    webhook = {
        **ana.fields(address),
        "name": "Duas vezes",
        "url": "http://127.0.0.1:9999/",
        "which": "todos",
    }
    answers = [ana.send(address, webhook, 303).location for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(rows(app, "SELECT 1 FROM webhooks WHERE name = 'Duas vezes'")) == 1
    user = {
        **ana.fields("/usuarios/novo"),
        "email": "eva@exemplo.com.br",
        "password": PASSWORD,
    }
    for _ in range(2):
        ana.send("/usuarios/novo", user, 303)
    assert len(rows(app, "SELECT 1 FROM users WHERE email = 'eva@exemplo.com.br'")) == 1


def test_a_blank_token_keeps_the_stored_one_and_no_page_shows_it(
    app: Flask, ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/editar"
    page = ana.get(address).text
    assert TOKEN not in page
    assert "cana…0001" in page
    ana.send(address, {**ana.fields(address), "name": "Outro Nome"}, 303)
    with app.app_context():
        from webhookproxy.extensions import db
        from webhookproxy.models import Company

        company = db.session.get_one(Company, place.company)
        assert (company.name, company.token) == ("Outro Nome", TOKEN)


def test_another_socket_host_demands_the_token_again(ana: Browser, place: Place) -> None:
    address = f"/empresas/company_{place.company}/editar"
    fields = {**ana.fields(address), "host": "outro", "other_host": "http://127.0.0.2:4000"}
    page = ana.send(address, fields, 200).text
    assert "token" in page
    assert "O novo endereço do socket é de outro servidor" in page
    ana.send(address, {**fields, "token": NEW_TOKEN}, 303)


def test_the_day_of_a_tokens_end_is_typed_beside_it_and_shown_again(
    ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/editar"
    page = ana.send(address, {**ana.fields(address), "token_expires": "31/02/2026"}, 200).text
    assert "Isto não é uma data" in page
    ana.send(address, {**ana.fields(address), "token_expires": " 2026-12-31 "}, 303)
    assert ana.fields(address)["token_expires"] == "31/12/2026"
    ana.send(address, {**ana.fields(address), "token": NEW_TOKEN}, 303)
    assert ana.fields(address)["token_expires"] == ""


def test_another_webhook_host_demands_the_secrets_again(
    app: Flask, beto: Browser, place: Place
) -> None:
    address = f"/webhooks/webhook_{place.webhook}/editar"
    fields = {**beto.fields(address), "url": "http://127.0.0.2:9999/meu"}
    page = beto.send(address, fields, 200).text
    assert "A nova URL leva a outro lugar" in page
    assert rows(app, "SELECT url FROM webhooks WHERE id = :id", id=place.webhook) == [
        ("http://127.0.0.1:9999/crm",)
    ]
    assert "canary-secret" not in page
    beto.send(address, {**fields, "secret": "a new secret"}, 303)


def test_saving_over_somebody_elses_newer_version_is_refused_with_both_shown(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    address = f"/webhooks/webhook_{place.webhook}/editar"
    of_ana, of_beto = ana.fields(address), beto.fields(address)
    beto.send(address, {**of_beto, "name": "De Beto"}, 303)
    page = ana.send(address, {**of_ana, "name": "De Ana"}, 200)
    assert "Outra pessoa salvou este webhook" in page.text
    assert "De Beto" in page.text
    assert 'value="De Ana"' in page.text
    assert rows(app, "SELECT name FROM webhooks WHERE id = :id", id=place.webhook) == [("De Beto",)]
    from tests.web.support.browser import form_fields

    ana.send(address, form_fields(page.text), 303)
    assert rows(app, "SELECT name FROM webhooks WHERE id = :id", id=place.webhook) == [("De Ana",)]


def test_the_same_holds_for_a_company(
    ana: Browser, log_in: Callable[..., Browser], place: Place
) -> None:
    eva = log_in("eva@exemplo.com.br", admin=True)
    address = f"/empresas/company_{place.company}/editar"
    of_ana, of_eva = ana.fields(address), eva.fields(address)
    eva.send(address, {**of_eva, "name": "De Eva"}, 303)
    page = ana.send(address, {**of_ana, "name": "De Ana"}, 200).text
    assert "Outra pessoa salvou esta empresa" in page
    assert "De Eva" in page
    assert 'value="De Ana"' in page


def test_what_was_typed_survives_a_session_that_expired_but_for_secrets(
    app: Flask, ana: Browser
) -> None:
    fields = company_fields(ana, name="Guarapuava")
    ana.client.delete_cookie("session")
    assert ana.send("/empresas/nova", fields, 303).location == "/entrar"
    assert "Sua sessão expirou" in ana.get("/entrar").text
    answer = ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == "/empresas/nova"
    page = ana.get("/empresas/nova").text
    assert 'value="Guarapuava"' in page
    assert "Recuperamos o que você digitou" in page
    assert NEW_TOKEN not in page
    assert not rows(app, "SELECT 1 FROM companies")
    assert 'value="Guarapuava"' not in ana.get("/empresas/nova").text


def test_every_form_that_has_a_page_is_kept(ana: Browser, place: Place) -> None:
    """Not only those that happen to have a name in them."""
    assert place.company
    user = {**ana.fields("/usuarios/novo"), "email": "eva@exemplo.com.br", "password": PASSWORD}
    ana.client.delete_cookie("session")
    ana.send("/usuarios/novo", user, 303)
    answer = ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == "/usuarios/novo"
    page = ana.get("/usuarios/novo").text
    assert 'value="eva@exemplo.com.br"' in page
    assert PASSWORD not in page


def test_a_button_behind_which_the_session_expired_is_not_pressed_later(
    app: Flask, ana: Browser, place: Place
) -> None:
    ana.client.delete_cookie("session")
    ana.send(f"/empresas/company_{place.company}/conectar", {}, 303)
    answer = ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == "/"
    assert not rows(app, "SELECT 1 FROM companies WHERE should_connect")


@pytest.mark.usefixtures("ana")
def test_another_sites_form_leaves_nothing_behind(visitor: Browser) -> None:
    fields = {"name": "Plantada", "csrf_token": "x", "submission": "1-abc"}
    visitor.client.post("/empresas/nova", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    visitor.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert "Plantada" not in visitor.get("/empresas/nova").text


def expire(browser: Browser, address: str, fields: dict[str, Any]) -> str:
    """Send a form behind which the session expired; return what is kept of it, opened."""
    browser.client.delete_cookie("session")
    browser.send(address, fields, 303)
    with browser.client.session_transaction() as session:
        assert "Guarapuava" not in str(dict(session))
        sealed = session["draft"][-1] if "draft" in session else None
    if sealed is None:
        return ""
    return zlib.decompress(base64.b85decode(keyring().decrypt(sealed))).decode()


def test_what_was_typed_outlives_the_process_that_got_it(app: Flask, ana: Browser) -> None:
    expire(ana, "/empresas/nova", company_fields(ana, name="Guarapuava"))
    kept = ana.client.get_cookie("session")
    assert kept is not None
    folder = Path(app.instance_path)
    with application(app.config["SQLALCHEMY_DATABASE_URI"], folder) as another_process:
        other = Browser(another_process)
        other.client.set_cookie("session", kept.value)
        other.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
        assert 'value="Guarapuava"' in other.get("/empresas/nova").text


def test_only_the_user_who_typed_it_sees_it_again(
    ana: Browser, log_in: Callable[..., Browser]
) -> None:
    log_in("eva@exemplo.com.br", admin=True)
    assert "Guarapuava" in expire(ana, "/empresas/nova", company_fields(ana, name="Guarapuava"))
    ana.post("/entrar", email="eva@exemplo.com.br", password=PASSWORD)
    with ana.client.session_transaction() as session:
        assert "draft" not in session
    assert "Guarapuava" not in ana.get("/empresas/nova").text


def test_no_secret_is_kept(ana: Browser, place: Place) -> None:
    assert NEW_TOKEN not in expire(ana, "/empresas/nova", company_fields(ana))
    ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    address = f"/webhooks/webhook_{place.webhook}/editar"
    typed = {"secret": "canary-secret-2", "authorization": "canary-authorization"}
    kept = expire(ana, address, {**ana.fields(address), "name": "Novo", **typed})
    assert "Novo" in kept
    assert "canary" not in kept


def test_a_webhook_with_every_event_fits_into_the_cookie_and_a_flood_is_left_out(
    ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/webhooks/novo"
    every = {"name": "Todos", "which": "escolhidos", "events": sorted(CATALOG)}
    expire(ana, address, {**ana.fields(address), **every})
    ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    page = ana.get(address).text
    assert page.count(" checked> <span><code>") == len(CATALOG)
    assert "Recuperamos o que você digitou" in page
    flood = {"more_events": secrets.token_urlsafe(9_000)}
    assert not expire(ana, address, {**ana.fields(address), **flood})
    answer = ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert answer.location == address


def test_what_was_typed_is_kept_for_half_an_hour(clock: Traveller, ana: Browser) -> None:
    expire(ana, "/empresas/nova", company_fields(ana, name="Guarapuava"))
    clock.shift(drafts.DRAFT_SECONDS + 1)
    ana.post("/entrar", email="ana@exemplo.com.br", password=PASSWORD)
    assert "Guarapuava" not in ana.get("/empresas/nova").text


def test_a_company_saved_twice_is_saved_once_and_changed_again_is_a_conflict(
    app: Flask, ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/editar"
    fields = {**ana.fields(address), "name": "Outro nome"}
    assert ana.send(address, fields, 303).location == ana.send(address, fields, 303).location
    assert len(rows(app, "SELECT 1 FROM audit WHERE action = 'company_changed'")) == 1
    page = ana.send(address, {**fields, "name": "Um terceiro"}, 200).text
    assert "Outra pessoa salvou esta empresa" in page


def test_a_generated_secret_is_shown_once(app: Flask, ana: Browser, place: Place) -> None:
    import re

    from webhookproxy.events.contract import whsec
    from webhookproxy.extensions import db
    from webhookproxy.models import Webhook

    address = f"/webhooks/webhook_{place.webhook}/editar"
    shown = ana.send(address, {**ana.fields(address), "generate_secret": "y"}, 303).location
    assert shown
    page = ana.get(shown).text
    found = re.search(r'id="segredo"[^>]*>([^<]+)<', page)
    assert found
    with app.app_context():
        assert db.session.get_one(Webhook, place.webhook).secret == found[1]
    assert whsec(found[1]) in page
    for other in (shown, address, f"/webhooks/webhook_{place.webhook}"):
        assert found[1] not in ana.get(other).text


def test_numbers_may_be_written_as_in_brazil(app: Flask, ana: Browser, place: Place) -> None:
    address = f"/webhooks/webhook_{place.webhook}/editar"
    fields = ana.fields(address)
    ana.send(address, {**fields, "rate_limit": "0,5", "timeout": "7,5"}, 303)
    query = "SELECT rate_limit, timeout FROM webhooks WHERE id = :id"
    assert rows(app, query, id=place.webhook) == [(0.5, 7.5)]
    fields = ana.fields(address)
    assert fields["rate_limit"] == "0,5"
    page = ana.send(address, {**fields, "parallelism": "muitos"}, 200).text
    assert "Isto não é um número" in page
    assert (
        "O paralelismo deve ficar entre"
        in ana.send(address, {**fields, "parallelism": "65"}, 200).text
    )
