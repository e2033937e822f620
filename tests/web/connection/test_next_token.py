"""A next token is laid ready, tried, and switched to; only an administrator does it."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import make_company, rest_on_loopback, rows, store_of
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.browser import Browser
from tests.web.support.sockets import execute, owner
from webhookproxy.models.accounts.next_tokens import lay_ready
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.platform import pace
from webhookproxy.reasons import ConnectionReason
from webhookproxy.web.diagnosis import next_token
from webhookproxy.web.diagnosis.live import Found

OLD, NEW = "old-token-of-it-0001", "new-token-of-it-0001"


def test_a_token_is_laid_ready_tried_and_switched_to(
    app: Flask, ana: Browser, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    owner(app)
    rest_on_loopback(app)
    company = make_company(app, simulator.url, OLD, threec_id="1")
    address = f"/empresas/company_{company}/token-novo"
    assert f'href="{address}"' in ana.get(f"/empresas/company_{company}/editar").text
    simulator.control("rest", token=NEW, role="supervisor")
    for typed, says in (
        (OLD, "Este é o token que a empresa já usa."),
        ("with space", "espaços ou caracteres de controle"),
    ):
        assert says in ana.send(address, {**ana.fields(address), "token": typed}, 200).text
    # The simulator refuses tokens of fewer than eight characters.
    ana.send(address, {**ana.fields(address), "token": "short"}, 303)
    page = ana.get(address).text
    assert "A 3C Plus recusou o token" in page
    assert "Trocar agora" not in page
    ana.post(f"{address}/agora", 303, acao="trocar")
    assert "Teste o token antes" in ana.get(address).text
    fields = {**ana.fields(address), "token": NEW, "token_expires": "31/12/2027"}
    ana.send(address, fields, 303)
    said = "É de um supervisor. Só virão os eventos das equipes dele."
    assert said in ana.get(address).text
    simulator.control("rest", token=NEW, role="gestor")
    ana.post(f"{address}/agora", 303, acao="testar")
    page = ana.get(address).text
    assert "A 3C Plus aceitou uma conexão com ele. É de um gestor." in page
    assert "o ID 3C Plus cadastrado aqui é 1" in page
    assert NEW not in page + str(rows(app, "SELECT * FROM next_tokens"))
    ana.post(f"{address}/agora", 400, acao="outra")
    ana.post(f"{address}/agora", 303, acao="trocar")

    def token(session: Session) -> tuple[str, bool]:
        found = find_company(session, company)
        return found.token, found.token_expires_at is not None

    assert store_of(app).session(token) == (NEW, True)
    assert rows(app, "SELECT id FROM next_tokens") == []


def test_the_page_says_what_comes_with_the_token_of_whom(app: Flask, ana: Browser) -> None:
    owner(app)
    company = make_company(app, "http://127.0.0.1:4009", OLD)
    policy = app.extensions["policy"]

    def lay(session: Session) -> None:
        lay_ready(session, find_company(session, company), NEW, None, policy, CLI)

    store_of(app).session(lay)
    for role, says in (
        ("gestor", "É de um gestor.</p>"),
        ("supervisor", "É de um supervisor. Só virão os eventos das equipes dele.</p>"),
        ("agente", "É de um agente. Só virão os eventos deste agente.</p>"),
    ):
        execute(app, "UPDATE next_tokens SET answer = 'accepted', role = :role", role=role)
        assert says in ana.get(f"/empresas/company_{company}/token-novo").text


def test_a_token_that_is_ready_goes_with_the_server_that_it_was_for(
    app: Flask, ana: Browser, simulator: SimulatorProcess
) -> None:
    owner(app)
    company = make_company(app, simulator.url, OLD)
    address = f"/empresas/company_{company}"
    ready = f"{address}/token-novo"
    ana.send(ready, {**ana.fields(ready), "token": NEW}, 303)
    edited = ana.fields(f"{address}/editar")
    ana.send(f"{address}/editar", {**edited, "name": "Outra"}, 303)
    assert len(rows(app, "SELECT id FROM next_tokens")) == 1
    elsewhere = {"host": "outro", "other_host": "http://127.0.0.1:4009", "token": OLD}
    ana.send(f"{address}/editar", {**ana.fields(f"{address}/editar"), **elsewhere}, 303)
    assert rows(app, "SELECT id FROM next_tokens") == []
    ana.send(ready, {**ana.fields(ready), "token": NEW}, 303)
    ana.post(f"{ready}/agora", 303, acao="descartar")
    assert rows(app, "SELECT id FROM next_tokens") == []


def test_what_was_said_of_one_token_is_not_noted_on_another(
    app: Flask, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner(app)
    company = make_company(app, "http://127.0.0.1:4009", OLD)

    def lay(session: Session) -> None:
        policy = app.extensions["policy"]
        lay_ready(session, find_company(session, company), NEW, None, policy, CLI)

    def ask(*_: object) -> Found:
        # Another administrator lays one ready meanwhile: its row has the number of this one's.
        store_of(app).session(lay)
        return Found(ConnectionReason.ACCEPTED)

    monkeypatch.setattr(next_token, "ask", ask)
    address = f"/empresas/company_{company}/token-novo"
    ana.send(address, {**ana.fields(address), "token": "another-new-token-0001"}, 303)
    assert [row.answer for row in rows(app, "SELECT answer FROM next_tokens")] == [None]
    ana.post(f"{address}/agora", 303, acao="trocar")
    assert "Teste o token antes" in ana.get(address).text
