"""The page that says who did what."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.models.audit import PAGE, Action, Actor, record
from webhookproxy.web.admin.audit_words import ACTIONS

EVA = Actor(7, "eva@exemplo.com.br", "203.0.113.9")


def add(app: Flask, count: int = 1, **given: object) -> None:
    def job(session: Session) -> None:
        for number in range(count):
            fields = {"action": Action.RESEND, "subject": f"delivery_{number}", **given}
            record(session, EVA, **fields)  # type: ignore[arg-type]

    store_of(app).session(job)


def test_every_action_has_its_words() -> None:
    assert set(ACTIONS) == set(Action)
    names = [name for name, _ in ACTIONS.values()]
    assert len(set(names)) == len(names)


def test_it_says_who_did_what_and_from_where(app: Flask, ana: Browser, place: Place) -> None:
    add(
        app,
        action=Action.WEBHOOK_CHANGED,
        company_id=place.company,
        subject=f"webhook_{place.webhook}",
        detail="url rate_limit",
    )
    page = ana.get("/auditoria").text
    for said in (
        "Mudou o webhook",
        "eva@exemplo.com.br",
        "203.0.113.9",
        "URL, limite de envios",
        "Televendas Guarapuava",
        f'href="/webhooks/webhook_{place.webhook}"',
        "por 365 dias",
    ):
        assert said in page, said


def test_a_subject_that_is_gone_is_no_link(app: Flask, ana: Browser) -> None:
    add(app, action=Action.WEBHOOK_DELETED, company_id=99, subject="webhook_99")
    page = ana.get("/auditoria").text
    assert "company_99 (excluída)" in page
    assert 'href="/webhooks/webhook_99"' not in page


def test_every_action_can_be_shown(app: Flask, ana: Browser) -> None:
    for action in Action:
        add(app, action=action, detail="qualquer coisa")
    page = ana.get("/auditoria").text
    for name, _ in ACTIONS.values():
        assert name in page, name


@pytest.mark.parametrize(
    "query",
    ["pessoa=EVA@exemplo.com.br", "acao=resend", "empresa=company_{company}"],
)
def test_a_filter_leaves_what_fits(app: Flask, ana: Browser, place: Place, query: str) -> None:
    add(app, company_id=place.company)
    page = ana.get("/auditoria?" + query.format(company=place.company)).text
    rows = page[page.index('class="rows audit-rows') :]
    assert "Reenviou" in rows
    assert "Entrou" not in rows


def test_a_period_and_what_nobody_did(app: Flask, ana: Browser) -> None:
    add(app)
    assert "Reenviou" in ana.get("/auditoria?periodo=24h").text
    page = ana.get("/auditoria?pessoa=ninguem@exemplo.com.br").text
    assert "Nenhum registro assim" in page


def test_older_ones_are_on_the_next_page_and_none_is_twice(app: Flask, ana: Browser) -> None:
    add(app, PAGE + 3)
    first = ana.get("/auditoria?acao=resend").text
    assert first.count("row-item audit-row") == PAGE
    assert "delivery_0<" not in first
    found = first.split("antes=")[1].split('"')[0]
    second = ana.get(f"/auditoria?acao=resend&antes={found}").text
    assert second.count("row-item audit-row") == 3
    assert "delivery_0<" in second
    assert "Mais antigos" not in second


@pytest.mark.parametrize(
    "query", ["acao=nada", "periodo=sempre", "empresa=1", "empresa=company_x", "antes=-1"]
)
def test_a_filter_there_is_not_is_not_found(ana: Browser, query: str) -> None:
    ana.get(f"/auditoria?{query}", 404)


def test_operators_have_no_such_page_and_no_link(beto: Browser) -> None:
    beto.get("/auditoria", 403)
    assert "/auditoria" not in beto.get("/").text


def test_a_webhook_has_its_name_and_a_new_name_is_said_with_the_old_one(
    ana: Browser, place: Place
) -> None:
    edit = f"/webhooks/webhook_{place.webhook}/editar"
    ana.send(edit, {**ana.fields(edit), "name": "CRM novo"}, 303)
    page = ana.get("/auditoria?acao=webhook_changed").text
    assert f'<a href="/webhooks/webhook_{place.webhook}">CRM novo</a>' in page
    assert "nome: “Webhook” → “CRM novo”" in page
