"""The form of a webhook: what is typed is kept, and secrets are only ever written."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.events.catalog import CATALOG, USUAL
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.webhooks import edit_webhook, find_webhook
from webhookproxy.rules.filters import Checked


@pytest.fixture
def new(place: Place) -> str:
    """The address where a webhook of Beto's company is made."""
    return f"/empresas/company_{place.company}/webhooks/novo"


@pytest.fixture
def edit(place: Place) -> str:
    """The address where the webhook of Beto's company is edited."""
    return f"/webhooks/webhook_{place.webhook}/editar"


def stored(app: Flask, webhook: int) -> Webhook:
    with app.app_context():
        found = find_webhook(db.session(), webhook)
        db.session.expunge(found)
        return found


def filled(browser: Browser, address: str, **changed: Any) -> dict[str, Any]:
    fields = {"name": "CRM", "url": "http://127.0.0.1:9999/", "which": "todos"}
    return {**browser.fields(address), **fields, **changed}


def made(app: Flask) -> int:
    """The newest webhook."""
    return int(rows(app, "SELECT max(id) FROM webhooks")[0][0])


def test_all_that_can_be_set_is_stored(app: Flask, ana: Browser, new: str) -> None:
    fields = filled(
        ana,
        new,
        name="n8n",
        which="escolhidos",
        events=["agent-is-idle", "call-was-connected"],
        more_events="um-evento-novo\r\n outro evento\r\n",
        authorization="abc",
        secret="segredo",
        parallelism="3",
        timeout="2,5",
        rate_limit="1.000",
        max_age="24",
        state="simulated",
    )
    ana.send(new, fields, 303)
    webhook = stored(app, made(app))
    assert webhook.events == [
        "agent-is-idle",
        "call-was-connected",
        "um-evento-novo",
        "outro evento",
    ]
    assert (webhook.name, webhook.state) == ("n8n", "simulated")
    assert (webhook.authorization, webhook.secret) == ("abc", "segredo")
    numbers = (webhook.parallelism, webhook.timeout, webhook.rate_limit, webhook.max_age)
    assert numbers == (3, 2.5, 1000, 24)


@pytest.mark.parametrize("limit", ["0,25", "1000", "0,1", "999,125", ""])
def test_saving_a_form_as_it_stands_changes_no_number(
    app: Flask, ana: Browser, place: Place, edit: str, limit: str
) -> None:
    ana.send(edit, {**ana.fields(edit), "rate_limit": limit}, 303)
    before = stored(app, place.webhook).rate_limit
    ana.send(edit, ana.fields(edit), 303)
    assert stored(app, place.webhook).rate_limit == before
    assert before == (float(limit.replace(",", ".")) if limit else None)


def test_every_mistake_is_said_at_once_and_leads_to_its_field(ana: Browser, new: str) -> None:
    wrong = {
        "name": "",
        "url": "crm.exemplo.com/hook",
        "timeout": "quinze",
        "max_age": "999",
        "parallelism": "0",
    }
    typed = {**ana.fields(new), **wrong, "which": "todos", "secret": "a", "generate_secret": "y"}
    page = ana.send(new, typed, 200).text
    summary = page[page.index('id="problemas"') : page.index("</ul>", page.index('id="problemas"'))]
    assert "Nada foi salvo. Corrija os 6 pontos:" in summary
    for field in (*wrong, "generate_secret"):
        assert summary.count(f'<a href="#{field}">') == 1, field
        assert page.count(f'id="{field}"') == 1, field
        assert f'id="{field}-erro"' in page, field


def test_required_and_optional_fields_are_marked_in_one_way(ana: Browser, new: str) -> None:
    page = ana.get(new).text
    assert "menos os marcados com (opcional)" in page
    for field, asked in (("name", True), ("url", True), ("timeout", True), ("rate_limit", False)):
        tag = re.search(rf'<input[^>]*id="{field}"[^>]*>', page)
        assert tag is not None
        assert ("required" in tag[0]) == asked, field
        label = re.search(rf'<label[^>]*for="{field}">([^<]*)<', page)
        assert label is not None
        assert ("(opcional)" in label[1]) != asked, field


def test_every_number_that_is_none_is_said_at_once(ana: Browser, edit: str) -> None:
    wrong = {"parallelism": "2,5", "timeout": "", "rate_limit": "rápido", "max_age": "nan"}
    page = ana.send(edit, {**ana.fields(edit), **wrong}, 200).text
    assert page.count("Isto não é um número: escreva um número inteiro") == 2
    assert page.count("Isto não é um número: escreva, por exemplo, 2 ou 0,5.") == 4
    assert 'value="rápido"' in page
    page = ana.send(edit, {**ana.fields(edit), "max_age": "nan"}, 200).text
    assert "A idade máxima deve ficar entre 1 e 168 horas." in page


def test_what_is_wrong_stands_beside_the_field_and_above_and_what_was_typed_stays(
    ana: Browser, new: str
) -> None:
    fields = filled(
        ana,
        new,
        name="",
        url="ftp://exemplo.com.br/",
        which="escolhidos",
        events=["agent-is-idle"],
        more_events="evento" * 40,
        secret="canary-typed",
    )
    page = ana.send(new, fields, 200).text
    assert page.count("Informe o nome do webhook.") == 2
    assert 'href="#url"' in page
    assert 'href="#events"' in page
    assert 'value="ftp://exemplo.com.br/"' in page
    assert re.search(r'value="agent-is-idle" checked', page)
    assert "evento" * 40 in page
    assert "canary-typed" not in page


def test_no_event_chosen_is_refused(ana: Browser, new: str) -> None:
    page = ana.send(new, filled(ana, new, which="escolhidos"), 200).text
    assert page.count("Escolha de 1 a 500 eventos, ou todos.") == 2


def test_the_list_of_events_needs_no_script(ana: Browser, new: str) -> None:
    page = ana.get(new).text
    assert page.count('type="checkbox" name="events"') > 100
    assert "(não confirmado)" in page
    first = '<details open><summary>Os que quase todo CRM pede <span class="muted">3</span>'
    assert first in page
    assert '<details><summary>Chamada <span class="muted">26</span>' in page
    names = re.findall(r'name="events" value="([^"]+)"', page)
    assert len(names) == len(set(names)) == len(CATALOG)
    assert names[:3] == list(USUAL)
    # The box that filters it appears with the script that does.
    assert 'id="achar-evento" hidden' in page


def test_blank_secrets_stay_and_can_be_removed(
    app: Flask, beto: Browser, place: Place, edit: str
) -> None:
    beto.send(edit, {**beto.fields(edit), "authorization": "Bearer abc"}, 303)
    beto.send(edit, {**beto.fields(edit), "name": "Outro"}, 303)
    webhook = stored(app, place.webhook)
    assert (webhook.authorization, webhook.secret) == ("Bearer abc", "canary-secret")
    remove = {"remove_authorization": "y", "remove_secret": "y"}
    beto.send(edit, {**beto.fields(edit), **remove}, 303)
    webhook = stored(app, place.webhook)
    assert (webhook.authorization, webhook.secret) == (None, None)


def test_the_form_keeps_the_filters_that_it_does_not_show(
    app: Flask, beto: Browser, place: Place, edit: str
) -> None:
    filters: Checked = {"call-ended": (Condition("call.phone", Operator.CONTAINS, "canary-98765"),)}

    def job(session: Session) -> None:
        webhook = find_webhook(session, place.webhook)
        given = replace(webhook.input(), filters=filters)
        edit_webhook(session, webhook, given, app.extensions["policy"])

    store_of(app).session(job)
    beto.send(edit, {**beto.fields(edit), "name": "Outro", "timeout": "5"}, 303)
    webhook = stored(app, place.webhook)
    assert (webhook.name, webhook.input().filters) == ("Outro", filters)
    # The audit says which fields changed, and of no filter what it asks.
    noted = [row.detail for row in rows(app, "SELECT detail FROM audit ORDER BY id")]
    assert "name timeout | Webhook -> Outro" in noted
    assert "canary" not in " ".join(noted)


def test_a_new_host_takes_removing_or_generating_for_giving_again(
    app: Flask, beto: Browser, place: Place, edit: str
) -> None:
    moved = {**beto.fields(edit), "url": "http://127.0.0.2:9999/"}
    wrong = {"name": "", "timeout": "quinze", "max_age": "999"}
    page = beto.send(edit, {**moved, **wrong}, 200).text
    for said in (
        "A nova URL leva a outro lugar",
        *("Informe o nome do webhook.", "Isto não é um número", "A idade máxima deve ficar"),
    ):
        assert page.count(said) == 2, said
    assert "A nova URL leva a outro lugar" in beto.send(edit, moved, 200).text
    beto.send(edit, {**moved, "remove_secret": "y"}, 303)
    assert stored(app, place.webhook).url == "http://127.0.0.2:9999/"
    assert stored(app, place.webhook).secret is None


def test_a_typed_and_a_generated_secret_together_are_refused(
    app: Flask, beto: Browser, place: Place, edit: str
) -> None:
    both = {**beto.fields(edit), "secret": "digitado", "generate_secret": "y"}
    assert "Você digitou um segredo e pediu para gerar outro" in beto.send(edit, both, 200).text
    assert stored(app, place.webhook).secret == "canary-secret"


def shown_secret(page: str) -> str:
    found = re.search(r'id="segredo"[^>]*>([^<]+)<', page)
    return found[1] if found else ""


def test_a_double_click_shows_the_secret_that_was_stored(
    app: Flask, ana: Browser, new: str
) -> None:
    fields = filled(ana, new, generate_secret="y")
    first, second = (ana.send(new, fields, 303).location for _ in range(2))
    assert first == second == f"/webhooks/webhook_{made(app)}/segredo"
    assert shown_secret(ana.get(second).text) == stored(app, made(app)).secret
    again = ana.get(second).text
    assert "O segredo não é mais mostrado" in again
    assert not shown_secret(again)


def test_a_double_click_on_an_edit_does_so_too(
    app: Flask, beto: Browser, place: Place, edit: str
) -> None:
    fields = {**beto.fields(edit), "name": "Novo nome", "generate_secret": "y"}
    beto.send(edit, fields, 303)
    shown = beto.send(edit, fields, 303).location
    assert shown_secret(beto.get(shown or "").text) == stored(app, place.webhook).secret


def test_nobody_else_sees_a_generated_secret(ana: Browser, beto: Browser, edit: str) -> None:
    shown = ana.send(edit, {**ana.fields(edit), "generate_secret": "y"}, 303).location or ""
    assert not shown_secret(beto.get(shown).text)
    assert shown_secret(ana.get(shown).text)


def test_a_form_saved_twice_is_nobody_elses_doing(beto: Browser, edit: str) -> None:
    fields = {**beto.fields(edit), "name": "Novo nome", "authorization": "abc"}
    assert beto.send(edit, fields, 303).location == beto.send(edit, fields, 303).location
    other = {**fields, "authorization": "outra"}
    assert "Outra pessoa salvou este webhook" in beto.send(edit, other, 200).text


def test_a_newer_version_is_shown_in_the_words_of_the_form(
    ana: Browser, beto: Browser, edit: str
) -> None:
    of_ana = ana.fields(edit)
    beto.send(edit, {**beto.fields(edit), "state": "paused", "rate_limit": "2"}, 303)
    page = ana.send(edit, {**of_ana, "parallelism": "4"}, 200).text
    assert "Salvo por outra pessoa: <strong>Pausado: guarda e não envia</strong>" in page
    assert "Salvo por outra pessoa: <strong>2</strong>" in page
    assert "Salvo por outra pessoa: <strong>8</strong>" in page
    assert page.count("Salvo por outra pessoa") == 3


def test_an_operator_edits_and_creates_nothing(
    app: Flask, beto: Browser, carla: Browser, new: str, edit: str
) -> None:
    beto.send(edit, {**beto.fields(edit), "name": "Do operador"}, 303)
    assert rows(app, "SELECT 1 FROM webhooks WHERE name = 'Do operador'")
    beto.get(new, 403)
    beto.post(new, 403, name="Meu", url="http://127.0.0.1:9999/", which="todos")
    carla.post(edit, 404, name="De Carla")
    assert len(rows(app, "SELECT 1 FROM webhooks")) == 2


def test_an_operator_gives_the_secrets_again_for_another_path(
    beto: Browser, ana: Browser, place: Place
) -> None:
    edit = f"/webhooks/webhook_{place.webhook}/editar"
    moved = {**beto.fields(edit), "url": "http://127.0.0.1:9999/attacker"}
    assert "A nova URL leva a outro lugar" in beto.send(edit, moved, 200).text
    ana.send(edit, {**ana.fields(edit), "url": "http://127.0.0.1:9999/other"}, 303)
