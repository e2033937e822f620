"""A webhook is made from a recipe by answering its questions."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.formats.test_pages import CALL, NAME, address, again, arrive, send
from tests.web.support.browser import Browser, form_fields
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.rules.filters import stored_filters

ENTRY = "http://127.0.0.1:9999/rest/1/canary"


def webhooks(app: Flask, name: str) -> list[Any]:
    query = "SELECT id, url, events, success_rule, rate_limit, headers FROM webhooks"
    return rows(app, f"{query} WHERE name = :name", name=name)


def test_a_recipe_makes_a_whole_webhook_once(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, CATALOG[NAME].sample, {"call": {}})
    company = f"/empresas/company_{place.company}"
    assert f"{company}/receitas" in ana.get(company).text
    gallery = ana.get(f"{company}/receitas").text
    assert gallery.count("row-title") == 6
    beto.get(f"{company}/receitas", 403)
    ana.get(f"{company}/receitas/none", 404)
    page = ana.get(f"{company}/receitas/bitrix24").text
    assert "fields%5BTITLE%5D=Liga" in page
    assert "<strong>1</strong> de 2 não cabem" in page
    assert "Uma repetição cria outro lead" in page
    fields = form_fields(page)
    asked = ana.send(f"{company}/receitas/bitrix24", fields, 200).text
    assert "Responda esta pergunta." in asked
    assert webhooks(app, "Bitrix24") == []
    answered = {**fields, "url": ENTRY}
    # The second of two clicks finds the webhook that the first one made.
    first, second = (
        str(ana.send(f"{company}/receitas/bitrix24", answered, 303).location) for _ in "12"
    )
    assert first == second
    ((number, url, events, rule, rate, _),) = webhooks(app, "Bitrix24")
    assert first.endswith(f"webhook_{number}")
    assert url == f"{ENTRY}/crm.lead.add.json"
    assert NAME in str(events)
    assert "result" in str(rule)
    assert rate == 2


def test_a_secret_answer_is_stored_encrypted_and_never_shown_again(
    app: Flask, ana: Browser, place: Place
) -> None:
    page = f"/empresas/company_{place.company}/receitas/pipedrive"
    fields = {**form_fields(ana.get(page).text), "token": "canary-key", "name": ""}
    assert "canary-key" not in ana.send(page, fields, 200).text
    location = str(ana.send(page, {**fields, "name": "CRM"}, 303).location)
    assert "canary-key" not in ana.get(location).text
    ((*_, headers),) = webhooks(app, "CRM")
    assert headers
    assert "canary-key" not in headers


def test_the_preview_says_which_events_the_filter_leaves_out(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL, CALL | {"tags": []})
    filters = stored_filters({NAME: (Condition("tags[0]", Operator.EQUAL, "vip"),)})

    def job(connection: Any) -> None:
        connection.exec_driver_sql(f"UPDATE webhooks SET filters = '{json.dumps(filters)}'")

    store_of(app).run(job)
    page = send(ana, place.webhook, kind="payload", **{"try": ""})
    assert "O filtro deste webhook deixa de fora <strong>1</strong> de 2" in page
    assert "ele pede tags[0] é igual a vip" in page
    assert "1 evento, e ele cabe" in page
    # Less is sent: of what the filter lets through.
    assert "% a menos" in page
    again(ana, place.webhook, page, answer=303, save="")
    assert ana.get(address(place.webhook)).status_code == 200
