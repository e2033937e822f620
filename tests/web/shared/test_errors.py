"""The error pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from wtforms import PasswordField

from tests.support.application import rows, store_of
from tests.support.locks import held
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import FakeEngine, owner
from webhookproxy.logs.redaction import Redaction, redact
from webhookproxy.web import panel
from webhookproxy.web.companies import pages as companies
from webhookproxy.web.shared import access, drafts
from webhookproxy.web.shared.forms import Form
from webhookproxy.web.shared.request_limits import ANONYMOUS_FIELDS, FIELDS
from webhookproxy.web.webhooks import editing


@pytest.fixture
def locked(app: Flask, sqlite_url: str) -> Iterator[None]:
    """Another program writes, and the store does not wait for it: a page can still be read."""
    store_of(app).run(
        lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 50").close()
    )
    with held(sqlite_url):
        yield
    store_of(app).engine.dispose()


def failing(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_form_without_its_token_is_a_page_that_says_what_to_do(app: Flask, ana: Browser) -> None:
    page = ana.send("/empresas/nova", {"name": "Nova"}, 400).text
    assert "Não entendemos este pedido" in page
    assert "atualize a página" in page
    ana.send("/empresas/nova", {"name": "Nova", "csrf_token": "forged"}, 400)
    assert not rows(app, "SELECT 1 FROM companies")


def test_the_token_of_another_session_is_worth_nothing(ana: Browser, carla: Browser) -> None:
    ana.send("/empresas/nova", {"name": "Nova", "csrf_token": carla.token()}, 400)


def test_what_is_not_there_is_a_page_for_everybody(ana: Browser, visitor: Browser) -> None:
    assert "Página não encontrada" in ana.get("/nada", 404).text
    assert "Página não encontrada" in visitor.get("/nada", 404).text


def test_an_address_that_only_takes_a_button_says_so(ana: Browser, place: Place) -> None:
    answer = ana.get(f"/empresas/company_{place.company}/conectar", 405)
    assert f'href="/empresas/company_{place.company}">Voltar</a>' in answer.text
    assert "use os botões da página" in answer.text
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("address", ["/entrar", "/empresas/nova", "/conta"])
def test_a_body_over_a_megabyte_is_refused_with_a_page(address: str, ana: Browser) -> None:
    answer = ana.send(address, {"name": "x" * 1_100_000}, 413)
    assert "até 1 MB" in answer.text


def test_a_body_of_less_than_a_megabyte_is_read(ana: Browser) -> None:
    answer = ana.post("/empresas/nova", 200, name="x" * 900_000)
    assert "x" * 900_000 in answer.text


def test_a_form_of_more_fields_than_any_of_ours_is_refused(ana: Browser, visitor: Browser) -> None:
    fields = {f"field_{number}": "" for number in range(ANONYMOUS_FIELDS + 1)}
    visitor.send("/entrar", fields, 413)
    ana.send("/empresas/nova", fields, 400)
    ana.send("/empresas/nova", {f"field_{number}": "" for number in range(FIELDS + 1)}, 413)


@pytest.mark.usefixtures("ana")
def test_a_character_that_no_database_takes_is_refused(visitor: Browser) -> None:
    visitor.post("/entrar", 400, email="a\0@exemplo.com.br", password="wrong password")
    visitor.get("/entrar?x=%00", 400)
    visitor.get("/entrar?x=1&x=%00", 400)


def test_no_page_shows_the_text_of_an_exception(
    ana: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(panel, "_facts", failing(RuntimeError("canary-in-an-exception")))
    answer = ana.get("/", 500)
    assert "Algo deu errado do nosso lado" in answer.text
    assert "canary" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "canary-in-an-exception" in caplog.text


def test_an_error_that_quotes_what_was_typed_into_a_secret_field_is_printed_without_it(
    ana: Browser, place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has no form to know it by: the request says what it was."""
    typed = "a plain word of canary"
    error = ValueError(f"could not convert {typed!r}, typed by canary@exemplo.com.br")
    monkeypatch.setattr(editing, "edit_webhook", failing(error))
    monkeypatch.setattr(caplog.handler, "filters", [Redaction()])
    address = f"/webhooks/webhook_{place.webhook}/editar"
    page = ana.send(address, {**ana.fields(address), "secret": typed}, 500)
    assert typed not in page.text
    assert "could not convert '…', typed by canary@exemplo.com.br" in caplog.text
    assert typed not in caplog.text
    # Of the next request nothing of this one is hidden any more.
    assert redact(typed) == typed


def test_what_is_typed_into_a_password_field_is_neither_kept_nor_printed() -> None:
    def forms(form: type[Form]) -> list[type[Form]]:
        return [form, *(each for below in form.__subclasses__() for each in forms(below))]

    secret = {
        name
        for form in forms(Form)
        for name, field in vars(form).items()
        if getattr(field, "field_class", None) is PasswordField
    }
    assert len(secret) >= 6
    assert secret <= drafts.SECRET_FIELDS


def test_a_database_that_cannot_be_read_is_a_page(
    ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("SELECT canary", {}, Exception("canary"))
    monkeypatch.setattr(companies, "list_companies", failing(error))
    answer = ana.get("/empresas", 503)
    assert "canary" not in answer.text
    assert "Tente de novo" in answer.text


def test_a_database_in_which_not_even_the_login_is_found_is_a_page(
    ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("SELECT canary", {}, Exception("canary"))
    monkeypatch.setattr(access, "signed_in", failing(error))
    answer = ana.get("/empresas", 503)
    assert "canary" not in answer.text
    assert "Tente de novo" in answer.text


def test_while_nothing_can_be_written_pages_are_read_and_say_so(
    request: pytest.FixtureRequest, app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    owner(app)
    address = f"/empresas/company_{place.company}"
    fields = ana.fields(f"{address}/editar")
    assert "Não está gravando" not in ana.get("/").text
    request.getfixturevalue("locked")
    app.extensions["engine"] = FakeEngine(storing=False)
    for page in ("/", "/empresas", address, "/entregas", "/usuarios"):
        assert "Não está gravando" in ana.get(page).text, page
    answer = ana.send(f"{address}/editar", {**fields, "name": "Nada disso"}, 503)
    assert "nada do que você pediu foi feito" in answer.text
    beto.post(f"{address}/conectar", 503)
    assert not rows(app, "SELECT 1 FROM companies WHERE name = 'Nada disso' OR should_connect")


def test_nobody_is_told_what_is_wrong_before_the_login(app: Flask, visitor: Browser) -> None:
    app.extensions["engine"] = FakeEngine(storing=False)
    assert "Não está gravando" not in visitor.get("/primeiro-acesso").text


def test_pages_say_that_nobody_owns_the_sockets(app: Flask, ana: Browser) -> None:
    assert "quem recebe os eventos não dá sinal" in ana.get("/").text
    owner(app, age_ms=11_000)
    assert "quem recebe os eventos não dá sinal" in ana.get("/").text
    owner(app)
    assert "quem recebe os eventos não dá sinal" not in ana.get("/").text
