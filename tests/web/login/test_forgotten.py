"""A link for a forgotten password: an administrator makes it, one hour, one use."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from time_machine import Traveller

from tests.support.application import rows
from tests.web.conftest import PASSWORD
from tests.web.support.browser import Browser

NEW = "outra senha bem comprida"
BETO = "beto@exemplo.com.br"


def make(app: Flask, ana: Browser, email: str = BETO) -> str:
    """Return the path of a new link."""
    ((number,),) = rows(app, "SELECT id FROM users WHERE email = :email", email=email)
    address = f"/usuarios/user_{number}/link-de-senha"
    assert "Criar o link" in ana.get(address).text
    page = ana.post(address, 200).text
    found = re.search(r'id="link"[^>]*>http://[^/]*(/senha/[\w-]{22})<', page)
    assert found, page
    return found[1]


@pytest.fixture
def link(app: Flask, ana: Browser, beto: Browser) -> str:
    """A valid link for Beto."""
    beto.get("/")
    return make(app, ana)


def log_in(app: Flask, password: str) -> int:
    return Browser(app).post("/entrar", None, email=BETO, password=password).status_code


def test_the_user_chooses_a_password_and_every_session_ends(
    app: Flask, link: str, beto: Browser, visitor: Browser
) -> None:
    visitor.get(link)
    beto.get("/")
    answer = visitor.post(link, password=NEW, repeated=NEW)
    assert answer.location == "/entrar"
    assert "A senha foi trocada" in visitor.get("/entrar").text
    beto.get("/", 303)
    assert (log_in(app, PASSWORD), log_in(app, NEW)) == (200, 303)


def test_a_link_is_good_once(link: str, visitor: Browser, app: Flask) -> None:
    visitor.post(link, password=NEW, repeated=NEW)
    assert "não vale mais" in visitor.get(link, 404).text
    visitor.post(link, 404, password=f"{NEW} 2", repeated=f"{NEW} 2")
    assert log_in(app, NEW) == 303


def test_a_mistake_does_not_use_the_link_up(link: str, visitor: Browser) -> None:
    assert "curta demais" in visitor.post(link, 200, password="curta", repeated="curta").text
    assert "são diferentes" in visitor.post(link, 200, password=NEW, repeated="x").text
    visitor.post(link, password=NEW, repeated=NEW)


def test_a_link_is_good_for_an_hour(
    clock: Traveller, app: Flask, ana: Browser, beto: Browser, visitor: Browser
) -> None:
    beto.get("/")
    link = make(app, ana)
    clock.shift(timedelta(minutes=59))
    visitor.get(link)
    clock.shift(timedelta(minutes=2))
    visitor.get(link, 404)
    visitor.post(link, 404, password=NEW, repeated=NEW)


def test_a_new_link_ends_the_older_one(
    app: Flask, ana: Browser, link: str, visitor: Browser
) -> None:
    second = make(app, ana)
    visitor.get(link, 404)
    visitor.get(second)


def test_the_token_is_stored_as_a_hash_and_is_in_no_audit(
    app: Flask, ana: Browser, link: str, visitor: Browser
) -> None:
    token = link.rpartition("/")[2]
    for table in ("password_links", "audit"):
        assert token not in str(rows(app, f"SELECT * FROM {table}")), table
    answer = visitor.get(link)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    visitor.post(link, password=NEW, repeated=NEW)
    page = ana.get("/auditoria").text
    assert "Criou um link de senha" in page
    assert "com o link de um administrador" in page


def test_no_one_makes_a_link_for_themselves_or_without_being_an_administrator(
    app: Flask, ana: Browser, beto: Browser
) -> None:
    assert "se troca em Conta" in ana.post("/usuarios/user_1/link-de-senha", 200).text
    beto.post("/usuarios/user_1/link-de-senha", 403)
    assert not rows(app, "SELECT 1 FROM password_links")


def test_a_password_that_another_person_typed_is_changed_before_anything_else(
    app: Flask, ana: Browser
) -> None:
    fields = {**ana.fields("/usuarios/novo"), "email": "eva@exemplo.com.br", "password": PASSWORD}
    ana.send("/usuarios/novo", fields, 303)
    eva = Browser(app)
    eva.post("/entrar", email="eva@exemplo.com.br", password=PASSWORD)
    for address in ("/", "/eventos", "/conta/segundo-fator", "/usuarios", "/ao-vivo"):
        assert eva.get(address, 303).location == "/conta"
    assert eva.post("/empresas/company_1/conectar").location == "/conta"
    assert "Outra pessoa definiu a sua senha" in eva.get("/conta").text
    typed: dict[str, Any] = {"current": PASSWORD, "password": PASSWORD, "repeated": PASSWORD}
    assert "Escolha outra" in eva.post("/conta", 200, **typed).text
    assert eva.post("/conta", **{**typed, "password": NEW, "repeated": NEW}).location == "/"
    eva.get("/")
    # Typed by an administrator again, it holds again; one's own does not.
    ((number,),) = rows(app, "SELECT id FROM users WHERE email = 'eva@exemplo.com.br'")
    address = f"/usuarios/user_{number}"
    ana.send(address, {**ana.fields(address), "password": PASSWORD}, 303)
    own = "/usuarios/user_1"
    ana.send(own, {**ana.fields(own), "password": NEW}, 303)
    must = rows(app, "SELECT must_change_password FROM users ORDER BY id")
    assert [bool(each) for (each,) in must] == [False, True]
