"""The form's own headers and its rule of success, and the page that tells of them."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.application import make_webhook
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from tests.web.support.sockets import execute
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.rules.webhooks import WebhookInput

URL, ELSEWHERE = "http://127.0.0.1:4009/", "http://127.0.0.2:4009/"


@pytest.fixture
def webhook(app: Flask, place: Place) -> int:
    """A webhook with two headers and a rule."""
    headers = (("X-Api-Key", "canary-own-1"), ("X-Two", "canary-own-2"))
    rule = Condition("ok", Operator.EQUAL, "true")
    return make_webhook(app, place.company, URL, headers=headers, success_rule=rule)


def stored(app: Flask, webhook: int) -> WebhookInput:
    with app.app_context():
        return find_webhook(db.session(), webhook).input()


def test_headers_are_kept_changed_removed_and_never_shown(
    app: Flask, ana: Browser, webhook: int
) -> None:
    page, edit = f"/webhooks/webhook_{webhook}", f"/webhooks/webhook_{webhook}/editar"
    ana.send(edit, ana.fields(edit), 303)
    assert stored(app, webhook).headers[0] == ("X-Api-Key", "canary-own-1")
    changed = {"header_value-0": "new", "header_name-1": "", "header_name-9": "X-Ten"}
    wrong = ana.send(edit, {**ana.fields(edit), **changed}, 200).text
    assert "Informe o valor de X-Ten" in wrong
    # A refused form keeps the names, and shows no value.
    typed = form_fields(wrong)
    assert (typed["header_name-1"], typed["header_name-9"]) == ("", "X-Ten")
    assert typed["header_value-0"] == ""
    ana.send(edit, {**typed, "header_value-0": "new", "header_value-9": "ten"}, 303)
    assert stored(app, webhook).headers == (("X-Api-Key", "new"), ("X-Ten", "ten"))
    for path in (page, edit, f"/auditoria?webhook={webhook}"):
        assert "canary-own" not in ana.get(path).text
    assert "headers próprios" in ana.get("/auditoria").text
    assert "X-Ten: …" in ana.get(page).text


def test_a_new_host_asks_for_the_values_again(app: Flask, beto: Browser, webhook: int) -> None:
    edit = f"/webhooks/webhook_{webhook}/editar"
    moved = {**beto.fields(edit), "url": ELSEWHERE}
    assert "informe de novo os headers" in beto.send(edit, moved, 200).text
    again = {**moved, "header_value-0": "new", "header_name-1": ""}
    beto.send(edit, again, 303)
    assert stored(app, webhook).headers == (("X-Api-Key", "new"),)


def test_a_copy_has_the_rule_and_the_names_and_asks_for_the_values(
    app: Flask, ana: Browser, place: Place, webhook: int
) -> None:
    new = f"/empresas/company_{place.company}/webhooks/novo?de=webhook_{webhook}"
    page = ana.get(new).text
    assert "Os segredos não são copiados" in page
    assert "canary-own" not in page
    fields = form_fields(page)
    assert fields["header_name-0"] == "X-Api-Key"
    assert "Informe o valor de X-Api-Key" in ana.send(new, fields, 200).text
    ana.send(new, {**fields, "header_value-0": "a", "header_value-1": "b"}, 303)
    copy = stored(app, webhook + 1)
    assert [value for _, value in copy.headers] == ["a", "b"]
    assert copy.success_rule == Condition("ok", Operator.EQUAL, "true")


def test_the_rule_is_changed_and_said_and_its_mistakes_lead_to_their_fields(
    app: Flask, ana: Browser, webhook: int
) -> None:
    page, edit = f"/webhooks/webhook_{webhook}", f"/webhooks/webhook_{webhook}/editar"
    assert "sucesso é um 2xx cuja resposta tem ok igual a true" in ana.get(page).text
    fields = ana.fields(edit)
    assert [fields[f"success{part}"] for part in ("", "_path", "_text")] == ["igual", "ok", "true"]
    wrong = {**fields, "success_path": "a..b", "success_text": "", "format": "x"}
    text = ana.send(edit, wrong, 200).text
    for field in ("success_path", "success_text", "format"):
        assert f'href="#{field}"' in text
    lacks = {"success": "nao_contem", "success_text": '"error"', "encoding": "form"}
    ana.send(edit, {**fields, **lacks, "format": "resumo"}, 303)
    given = stored(app, webhook)
    assert given.success_rule == Condition("", Operator.LACKS, '"error"')
    assert (given.format.kind, given.format.encoding) == ("resumo", "form")
    ana.send(edit, {**ana.fields(edit), "success": "qualquer"}, 303)
    assert stored(app, webhook).success_rule is None
    assert "sucesso é qualquer 2xx" in ana.get(page).text


def test_what_another_user_saved_meanwhile_is_beside_its_field(
    ana: Browser, beto: Browser, webhook: int
) -> None:
    edit = f"/webhooks/webhook_{webhook}/editar"
    seen = ana.fields(edit)
    changed = {"header_name-1": "", "header_name-4": "X-New", "header_value-4": "n"}
    beto.send(edit, {**beto.fields(edit), **changed, "success": "qualquer"}, 303)
    page = ana.send(edit, {**seen, "name": "Outro"}, 200).text
    assert "Salvo por outra pessoa: <strong>X-Api-Key, X-New</strong>" in page
    assert "Salvo por outra pessoa: <strong>Qualquer resposta 2xx</strong>" in page
    ana.send(edit, {**form_fields(page), "header_value-1": "two"}, 303)


def test_what_a_newer_version_stored_is_said_and_not_guessed(
    app: Flask, ana: Browser, webhook: int
) -> None:
    newer = """UPDATE webhooks SET body_format = '{"kind": "new"}', success_rule = '{"new": "x"}',
        filters = '{"agent-is-idle": [{"path": "a", "operator": "new", "value": ""}]}'"""
    execute(app, newer)
    page = ana.get(f"/webhooks/webhook_{webhook}").text
    assert page.count("de outra versão deste programa") == 3
    for path in ("editar", "formato", "filtros"):
        refused = ana.get(f"/webhooks/webhook_{webhook}/{path}", 409).text
        assert "Salvo por uma versão mais nova" in refused, path
    runner = app.test_cli_runner()
    shown = runner.invoke(args=["webhook", "show", str(webhook)])
    assert (shown.exit_code, "A newer version of this program" in shown.stderr) == (1, True)
