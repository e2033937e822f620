"""Usuários: who may come in, and what each may see."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import rows, store_of
from tests.web.conftest import PASSWORD, Place
from tests.web.support.browser import Browser
from webhookproxy.models.accounts.people import change_role, delete_user, find_user
from webhookproxy.rules import Refused

EVA = "eva@exemplo.com.br"


def number_of(app: Flask, email: str) -> int:
    ((found,),) = rows(app, "SELECT id FROM users WHERE email = :email", email=email)
    return int(found)


def address_of(app: Flask, email: str, page: str = "") -> str:
    return f"/usuarios/user_{number_of(app, email)}{page}"


def new_user(browser: Browser, **changed: Any) -> dict[str, Any]:
    return {
        **browser.fields("/usuarios/novo"),
        "email": EVA,
        "role": "operador",
        "password": PASSWORD,
        **changed,
    }


def granted(app: Flask, email: str) -> set[int]:
    query = "SELECT company_id FROM grants JOIN users ON users.id = user_id WHERE email = :email"
    return {company for (company,) in rows(app, query, email=email)}


def test_the_list_says_who_may_see_what(
    ana: Browser, beto: Browser, log_in: Callable[..., Browser]
) -> None:
    log_in("nada@exemplo.com.br")
    page = ana.get("/usuarios").text
    assert "ana@exemplo.com.br" in page
    assert "todas as empresas" in page
    assert "Televendas Guarapuava" in page
    assert "nenhuma empresa: não vê nada ainda" in page
    beto.get("/usuarios", 403)


def test_whoever_is_alone_is_told_what_operators_are_for(ana: Browser) -> None:
    assert "Crie operadores" in ana.get("/usuarios").text


def test_a_new_operator_comes_in_and_sees_the_companies_that_were_marked(
    app: Flask, ana: Browser, visitor: Browser, place: Place
) -> None:
    ana.send("/usuarios/novo", new_user(ana, companies=[str(place.company)]), 303)
    visitor.post("/entrar", email=EVA, password=PASSWORD)
    fresh = f"{PASSWORD} minha"
    visitor.post("/conta", current=PASSWORD, password=fresh, repeated=fresh)
    visitor.get(f"/empresas/company_{place.company}")
    visitor.get(f"/empresas/company_{place.other_company}", 404)
    assert granted(app, EVA) == {place.company}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": "eva"}, "Isto não é um e-mail"),
        ({"email": "ANA@exemplo.com.br "}, "Já existe um usuário com este e-mail"),
        ({"password": "curta"}, "A senha é curta demais"),
        ({"password": ""}, "A senha é curta demais"),
        ({"role": "rei"}, "Papel"),
    ],
)
def test_a_wrong_form_creates_nobody_says_why_and_keeps_what_was_typed(
    changed: dict[str, str], said: str, app: Flask, ana: Browser, place: Place
) -> None:
    fields = new_user(ana, companies=[str(place.company)], **changed)
    page = ana.send("/usuarios/novo", fields, 200).text
    assert said in page
    assert PASSWORD not in page
    assert re.search(rf'name="companies" value="{place.company}" checked', page)
    assert len(rows(app, "SELECT 1 FROM users")) == 1


def test_a_company_that_is_not_there_is_not_granted(app: Flask, ana: Browser, place: Place) -> None:
    marked = ["999", "x", str(place.company)]
    ana.send("/usuarios/novo", new_user(ana, companies=marked), None)
    assert granted(app, EVA) <= {place.company}


def test_a_generated_password_is_shown_once_and_opens_the_door(
    ana: Browser, visitor: Browser, place: Place
) -> None:
    fields = new_user(ana, password="", generate_password="y", companies=[str(place.company)])
    page = ana.send("/usuarios/novo", fields, 200).text
    found = re.search(r'id="senha"[^>]*>([^<]+)<', page)
    assert found
    assert found[1] not in ana.get("/usuarios").text
    visitor.post("/entrar", 303, email=EVA, password=found[1])
    ana.send("/usuarios/novo", fields, 303)
    page = ana.get("/usuarios").text
    assert "gere outra" in page
    assert found[1] not in page


def test_a_new_role_and_other_companies_hold_at_once(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    address = address_of(app, "beto@exemplo.com.br")
    fields = ana.fields(address)
    assert fields["companies"] == [str(place.company)]
    ana.send(address, {**fields, "companies": [str(place.other_company)]}, 303)
    beto.get(f"/empresas/company_{place.company}", 404)
    beto.get(f"/empresas/company_{place.other_company}")
    ana.send(address, {**ana.fields(address), "role": "administrador"}, 303)
    beto.get("/usuarios")
    ana.send(address, {**ana.fields(address), "role": "operador"}, 303)
    beto.get("/usuarios", 403)


def test_saving_without_a_password_keeps_it_and_the_session(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    address = address_of(app, "beto@exemplo.com.br")
    ana.send(address, ana.fields(address), 303)
    beto.get(f"/empresas/company_{place.company}")


def test_a_new_password_from_an_administrator_ends_that_users_sessions(
    app: Flask, ana: Browser, beto: Browser
) -> None:
    address = address_of(app, "beto@exemplo.com.br")
    ana.send(address, {**ana.fields(address), "password": "uma senha de outra pessoa"}, 303)
    assert beto.get("/", 303).location == "/entrar"
    ana.get("/")
    beto.post("/entrar", 303, email="beto@exemplo.com.br", password="uma senha de outra pessoa")


def test_nobody_takes_the_role_from_themselves(
    app: Flask, ana: Browser, log_in: Callable[..., Browser]
) -> None:
    log_in(EVA, admin=True)
    address = address_of(app, "ana@exemplo.com.br")
    page = ana.send(address, {**ana.fields(address), "role": "operador"}, 200).text
    assert "Você não pode tirar de si o papel de administrador" in page
    ana.get("/usuarios")


def test_nobody_deletes_themselves(
    app: Flask, ana: Browser, log_in: Callable[..., Browser]
) -> None:
    log_in(EVA, admin=True)
    address = address_of(app, "ana@exemplo.com.br", "/excluir")
    assert "Você não pode excluir a si mesmo" in ana.get(address).text
    assert "Você não pode excluir a si mesmo" in ana.post(address, 200).text
    ana.get("/usuarios")


def test_the_last_administrator_stays(app: Flask, ana: Browser) -> None:
    """Also from the command line, which asks the same function."""
    ana.get("/")

    def delete(session: Session) -> None:
        delete_user(session, find_user(session, "ana@exemplo.com.br"))

    def demote(session: Session) -> None:
        change_role(session, find_user(session, "ana@exemplo.com.br"), admin=False)

    for act in (delete, demote):
        with pytest.raises(Refused, match="only administrator"):
            store_of(app).session(act)


def test_a_user_is_deleted_after_a_page_that_says_what_is_lost(
    app: Flask, ana: Browser, beto: Browser, visitor: Browser
) -> None:
    address = address_of(app, "beto@exemplo.com.br", "/excluir")
    assert "não entra mais" in ana.get(address).text
    ana.post(address)
    assert "foi excluído" in ana.get("/usuarios").text
    assert beto.get("/", 303).location == "/entrar"
    visitor.post("/entrar", 200, email="beto@exemplo.com.br", password=PASSWORD)
    assert not rows(app, "SELECT 1 FROM grants")
    ana.get(address, 404)


def test_it_is_written_down_who_did_it(app: Flask, ana: Browser, beto: Browser) -> None:
    beto.get("/")
    ana.post(address_of(app, "beto@exemplo.com.br", "/excluir"))
    query = "SELECT who, subject FROM audit WHERE action = 'user_deleted'"
    assert rows(app, query) == [("ana@exemplo.com.br", "beto@exemplo.com.br")]
