"""Empresas: the list, the form, the end of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import TOKEN, application, make_company, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import arrived, connection, execute, owner
from webhookproxy.models import Company
from webhookproxy.models.accounts.people import create_user
from webhookproxy.web.companies import pages
from webhookproxy.web.shared import access

NEW_TOKEN = "canary-token-of-a-new-company"


def fields_of(browser: Browser, **changed: Any) -> dict[str, Any]:
    return {**browser.fields("/empresas/nova"), "name": "Nova", "token": NEW_TOKEN, **changed}


def test_an_empty_list_says_what_to_do_next(ana: Browser, app: Flask) -> None:
    assert "Cadastre a primeira" in ana.get("/empresas").text
    execute(app, "UPDATE users SET is_admin = :no", no=False)
    page = ana.get("/empresas").text
    assert "Peça a um administrador" in page
    assert "/empresas/nova" not in page


def test_an_operator_sees_the_companies_that_were_granted(beto: Browser) -> None:
    page = beto.get("/empresas").text
    assert "Televendas Guarapuava" in page
    assert "Outra Empresa" not in page
    assert "Outra Empresa" not in beto.get("/empresas?busca=Outra").text


def test_the_list_says_how_each_is_and_what_came_today(
    app: Flask, ana: Browser, place: Place
) -> None:
    owner(app)
    connection(app, place.company, "token_refused", "kicked")
    arrived(app, place.other_company, hours_ago=0, count=1234)
    page = ana.get("/empresas").text
    assert "Token recusado" in page
    assert "Ainda não conectada" in page
    assert "1.234 eventos hoje" in page
    assert "nenhum evento ainda" in page
    # The field of another server is shown only for “outro…”.
    assert 'id="servidor"' in ana.get("/empresas/nova").text
    style = Path(str(app.static_folder), "app.css").read_text()
    assert '#servidor:not(:has([value="outro"]:checked))' in style


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("guarapuava", True),
        ("  televendas ", True),
        ("GUARAPUAVA televendas", True),
        ("%", False),
        ("_", False),
        ("' OR 1=1 --", False),
        ("<script>alert(1)</script>", False),
    ],
)
def test_companies_are_found_by_a_part_of_their_name(
    search: str, found: bool, ana: Browser
) -> None:
    answer = ana.get("/empresas", query_string={"busca": search})
    assert ("Televendas Guarapuava" in answer.text) is found
    if not found:
        assert "Nenhuma empresa com" in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("search", ["sao joao", "SÃO JOÃO", "joão central"])
def test_accents_capitals_and_the_order_of_words_do_not_matter(
    app: Flask, ana: Browser, search: str
) -> None:
    make_company(app, name="Central São João")
    assert "Central São João" in ana.get("/empresas", query_string={"busca": search}).text


def test_companies_are_found_by_their_whole_3c_plus_id(app: Flask, ana: Browser) -> None:
    make_company(app, name="Clínica Aurora", threec_id="4321")
    assert "Clínica Aurora" in ana.get("/empresas?busca=4321").text
    assert "Clínica Aurora" not in ana.get("/empresas?busca=432").text


def test_companies_are_filtered_by_their_state_and_sorted_by_what_is_wrong(
    app: Flask, ana: Browser, place: Place
) -> None:
    owner(app)
    connection(app, place.company, "connected", "accepted")
    connection(app, place.other_company, "token_refused", "refused")
    assert "Outra Empresa" not in ana.get("/empresas?estado=conectadas").text
    wrong = ana.get("/empresas?estado=com-problema").text
    assert "Televendas Guarapuava" not in wrong
    assert "<strong>Token inválido" in wrong
    assert "Nenhuma empresa silenciosa agora" in ana.get("/empresas?estado=silenciosas").text
    execute(app, "UPDATE companies SET name = 'Zé' WHERE id = :id", id=place.other_company)
    by_name, worst = (ana.get(f"/empresas?ordem={word}").text for word in ("nome", "pior"))
    assert by_name.index("Televendas Guarapuava") < by_name.index(">Zé<")
    assert worst.index(">Zé<") < worst.index("Televendas Guarapuava")
    for unknown in ("estado=x", "ordem=x"):
        ana.get(f"/empresas?{unknown}", 404)


@pytest.mark.usefixtures("place")
def test_a_long_list_is_cut_and_says_so(ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (access, pages):
        monkeypatch.setattr(module, "COMPANIES_MAX", 1)
    assert "Mostramos as primeiras 1" in ana.get("/empresas").text


def test_a_company_is_registered_and_its_token_is_encrypted_and_never_shown(
    app: Flask, ana: Browser
) -> None:
    answer = ana.send("/empresas/nova", fields_of(ana, threec_id="77"), 303)
    page = ana.get(answer.location).text
    assert "A empresa foi cadastrada" in page
    assert "Ainda não conectada" in page
    assert NEW_TOKEN not in page
    ((stored,),) = rows(app, "SELECT token FROM companies")
    assert NEW_TOKEN not in stored
    assert NEW_TOKEN not in str(rows(app, "SELECT * FROM audit"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": " "}, "Informe o nome da empresa"),
        ({"token": ""}, "token"),
        ({"token": TOKEN, "host": "http://127.0.0.1:4000"}, "já está cadastrado"),
        ({"timezone": "Mars/Olympus"}, "Fuso horário"),
        ({"host": "https://evil.example.com"}, "Servidor do socket"),
        ({"host": "outro", "other_host": "ftp://socket.example.com"}, "Outro servidor"),
        ({"host": "outro", "other_host": "http://user:pass@127.0.0.1:4000"}, "Outro servidor"),
    ],
)
def test_a_wrong_form_is_refused_with_a_sentence(
    changed: dict[str, str], said: str, app: Flask, ana: Browser
) -> None:
    make_company(app, "http://127.0.0.1:4000", TOKEN)
    if changed.get("token"):
        changed = {**changed, "host": "outro", "other_host": changed["host"]}
    page = ana.send("/empresas/nova", fields_of(ana, **changed), 200).text
    assert "alert-danger" in page
    assert said in page
    assert NEW_TOKEN not in page
    assert len(rows(app, "SELECT 1 FROM companies")) == 1


def test_another_host_passes_the_guard(sqlite_url: str, tmp_path: Any, password_hash: str) -> None:
    """Without the leave of developers, private addresses are no sockets."""
    from tests.web.conftest import PASSWORD

    with application(sqlite_url, tmp_path, ALLOW_PRIVATE_TARGETS="0") as app:
        store_of(app).session(lambda s: create_user(s, "a@b.com", password_hash, admin=True).id)
        browser = Browser(app)
        browser.post("/entrar", email="a@b.com", password=PASSWORD)
        for host in ("http://127.0.0.1:4000", "https://169.254.169.254", "https://[::1]"):
            given = fields_of(browser, host="outro", other_host=host)
            browser.send("/empresas/nova", given, 200)
        assert not rows(app, "SELECT 1 FROM companies")


def test_an_operator_registers_edits_and_deletes_none(beto: Browser, place: Place) -> None:
    address = f"/empresas/company_{place.company}"
    for page in ("/empresas/nova", f"{address}/editar", f"{address}/excluir"):
        beto.get(page, 403)
        beto.post(page, 403)
    shown = beto.get(address).text
    for link in ("/editar", "/excluir", "webhooks/novo"):
        assert f"{address}/{link.strip('/')}" not in shown


def test_deleting_says_what_is_lost_and_leaves_nothing_to_see(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    execute(
        app,
        "UPDATE webhook_health SET created = 5, delivered = 2 WHERE webhook_id = :id",
        id=place.webhook,
    )
    address = f"/empresas/company_{place.company}"
    page = ana.get(f"{address}/excluir").text
    assert "1 webhook" in page
    assert "3 entregas que ainda esperam" in page
    assert rows(app, "SELECT deleted_at FROM companies WHERE id = :id", id=place.company) == [
        (None,)
    ]
    for typed in ("", "Televendas", "Outra Empresa"):
        said = ana.post(f"{address}/excluir", 200, confirmation=typed).text
        assert "Digite “Televendas Guarapuava” para excluí-la." in said
    ana.post(f"{address}/excluir", confirmation=" televendas  guarapuava ")
    assert "Televendas Guarapuava foi excluída" in ana.get("/empresas").text
    for browser in (ana, beto):
        browser.get(address, 404)
        browser.get(f"/webhooks/webhook_{place.webhook}", 404)
        assert "Televendas Guarapuava" not in browser.get("/empresas").text
    ana.post(f"{address}/excluir", 404)
    ana.post(f"{address}/conectar", 404)


def test_another_host_of_another_version_keeps_both_and_the_token(
    app: Flask, ana: Browser, place: Place
) -> None:
    """A form that was opened before another user saved writes nothing."""
    address = f"/empresas/company_{place.company}/editar"
    old = ana.fields(address)
    ana.send(address, {**ana.fields(address), "name": "Primeira"}, 303)
    ana.send(address, {**old, "name": "Segunda", "token": NEW_TOKEN}, 200)

    def job(session: Session) -> tuple[str, str]:
        company = session.get_one(Company, place.company)
        return company.name, company.token

    assert store_of(app).session(job) == ("Primeira", TOKEN)


def test_names_are_shown_as_they_are_and_never_as_markup(app: Flask, ana: Browser) -> None:
    number = make_company(app, name='<img src=x onerror="alert(1)">')
    for address in (
        "/",
        "/empresas",
        f"/empresas/company_{number}",
        f"/empresas/company_{number}/excluir",
    ):
        assert "<img" not in ana.get(address).text


def test_the_timezones_of_brazil_come_first_and_by_their_names(ana: Browser) -> None:
    page = ana.get("/empresas/nova").text
    brazil, others = page.index('<optgroup label="Brasil">'), page.index('label="Outros"')
    assert brazil < page.index(">Brasília (São Paulo)</option>") < others
    assert page.index(">Europe/Lisbon</option>") > others


def test_another_rest_address_asks_for_the_token_again(
    app: Flask, ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/editar"
    moved = {**ana.fields(address), "rest_url": "https://acme.3c.plus"}
    assert "informe o token de novo" in ana.send(address, moved, 200).text
    ana.send(address, {**moved, "token": NEW_TOKEN}, 303)
    query = "SELECT rest_url FROM companies WHERE id = :id"
    assert rows(app, query, id=place.company) == [("https://acme.3c.plus/",)]


def test_a_second_token_is_kept_shown_as_a_mask_and_removed(
    app: Flask, ana: Browser, place: Place
) -> None:
    address, second = f"/empresas/company_{place.company}/editar", "canary-second-token-0001"
    assert "remove_rest_token" not in ana.get(address).text
    ana.send(address, {**ana.fields(address), "rest_token": second}, 303)
    ((stored,),) = rows(app, "SELECT rest_token FROM companies WHERE rest_token IS NOT NULL")
    page = ana.get(address).text
    assert second not in stored + page
    assert "Salvo: cana…0001. Deixe em branco para manter." in page
    ana.send(address, {**ana.fields(address), "name": "Outra"}, 303)
    assert rows(app, "SELECT rest_token FROM companies WHERE rest_token IS NOT NULL")
    ana.send(address, {**ana.fields(address), "remove_rest_token": "y"}, 303)
    assert not rows(app, "SELECT rest_token FROM companies WHERE rest_token IS NOT NULL")
    details = [row[0] for row in rows(app, "SELECT detail FROM audit ORDER BY id")]
    assert details[-1] == "rest_token"


def test_the_server_that_3c_plus_leaves_is_offered_no_more_and_its_companies_are_told(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    left = "https://socket.3c.fluxoti.com"
    assert left not in ana.get("/empresas/nova").text
    address = f"/empresas/company_{place.company}"
    assert "fluxoti" not in ana.get(address).text
    execute(app, "UPDATE companies SET socket_url = :left", left=f"{left}/")
    assert f'value="{left}/"' in ana.get(f"{address}/editar").text
    assert "A 3C Plus está deixando" in ana.get(f"{address}/editar").text
    assert f"{address}/editar#servidor" in ana.get(address).text
    assert "Peça a um administrador que mude o servidor" in beto.get(address).text
