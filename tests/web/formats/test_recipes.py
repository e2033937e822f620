"""Each recipe makes what the public documentation of its receiver demands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from tests.events.formats.support import make_source, php_reads
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.conditions import Compiled
from webhookproxy.events.formats.definition import Format, Unrenderable
from webhookproxy.events.formats.rendering import render
from webhookproxy.network.guard import Policy
from webhookproxy.recipes.reading import read_recipe, recipes
from webhookproxy.rules import Refused
from webhookproxy.rules.success import OF_TEXT
from webhookproxy.rules.webhooks import WebhookInput, check_webhook
from webhookproxy.web.formats.draft import Draft
from webhookproxy.web.shared.drafts import SECRET_FIELDS

CONNECTED, HISTORY = "call-was-connected", "call-history-was-created"
# What a user answers who changes nothing but the empty fields.
TYPED = {
    "bitrix24": {"url": "https://acme.bitrix24.com.br/rest/1/canary"},
    "google-sheets": {"url": "https://script.google.com/macros/s/canary/exec"},
    "n8n": {"url": "https://n8n.example.com/webhook/canary"},
    "make": {"url": "https://hook.us1.make.com/canary"},
    "pipedrive": {"token": "canary-token"},
    "rd-station": {"token": "canary/key&x=1"},
}
E164 = r"\+[0-9]{8,15}"


def made(key: str, **answers: str) -> WebhookInput:
    """Return the webhook of a recipe, with the usual answers where none is given."""
    recipe = recipes()[key]
    usual = {name: each.usual for name, each in recipe.questions.items() if each.usual}
    return recipe.filled({**usual, **TYPED[key], **answers})


def bitrix24_takes(sent: WebhookInput, body: bytes, content_type: str) -> None:
    """Check a lead as crm.lead.add demands it."""
    assert urlsplit(sent.url).path.endswith("/rest/1/canary/crm.lead.add.json")
    assert content_type == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode("ascii"), strict_parsing=True)
    read = php_reads(body)
    assert set(read) == {"fields"}
    fields: dict[str, Any] = read["fields"]
    assert fields["TITLE"] == "Ligação (41) 90000-0001"
    assert fields["STATUS_ID"] == "NEW"
    for phone in fields["PHONE"].values():
        assert re.fullmatch(E164, phone["VALUE"])
        assert phone["VALUE_TYPE"] in ("WORK", "MOBILE", "HOME")
    assert fields["COMMENTS"].endswith(", evt_018cc251f4007000800000000000002a")


def sheet_takes(sent: WebhookInput, body: bytes, content_type: str) -> None:
    """Check a row as the script of the recipe reads it: flat, always the same columns."""
    assert content_type == "application/json"
    row = json.loads(body)
    assert next(iter(row)) == "id"
    assert list(row) == [each.name for each in sent.format.rows]
    assert not [each for each in row.values() if isinstance(each, dict | list)]
    script = recipes()["google-sheets"].paste
    # A run that fails answers with a page in place of this text, and a run with a redirect.
    assert sent.success_rule is not None
    assert sent.success_rule.operator in OF_TEXT
    assert f"createTextOutput('{sent.success_rule.value}')" in script


def flow_takes(_sent: WebhookInput, body: bytes, content_type: str) -> None:
    """Check a flat call with an id that is the same at every attempt."""
    assert content_type == "application/json"
    call = json.loads(body)
    assert call["evento_id"] == "evt_018cc251f4007000800000000000002a"
    assert re.fullmatch(E164, call["telefone"])


def pipedrive_takes(sent: WebhookInput, body: bytes, content_type: str) -> None:
    """Check a person as POST /api/v2/persons demands it."""
    assert sent.url == "https://api.pipedrive.com/api/v2/persons"
    assert ("x-api-token", "canary-token") in sent.headers
    assert content_type == "application/json"
    person = json.loads(body)
    assert set(person) == {"name", "phones"}
    assert isinstance(person["name"], str)
    assert person["name"]
    for phone in person["phones"]:
        assert set(phone) == {"value", "label"}
        assert re.fullmatch(E164, phone["value"])


def rd_station_takes(sent: WebhookInput, body: bytes, content_type: str) -> None:
    """Check a conversion: the key in the query, and a payload with an e-mail."""
    address = urlsplit(sent.url)
    assert (address.hostname, address.path) == ("api.rd.services", "/platform/conversions")
    assert parse_qs(address.query) == {"api_key": ["canary/key&x=1"]}
    assert content_type == "application/json"
    event = json.loads(body)
    assert set(event) == {"event_type", "event_family", "payload"}
    assert (event["event_type"], event["event_family"]) == ("CONVERSION", "CDP")
    payload = event["payload"]
    assert payload["conversion_identifier"] == "ligacao-3c-plus"
    assert re.fullmatch(r"[^@\s]+@[^@\s]+", payload["email"])


RECEIVERS: dict[str, Callable[[WebhookInput, bytes, str], None]] = {
    "bitrix24": bitrix24_takes,
    "google-sheets": sheet_takes,
    "n8n": flow_takes,
    "make": flow_takes,
    "pipedrive": pipedrive_takes,
    "rd-station": rd_station_takes,
}


def sample(event: str) -> Any:
    """Return the catalogue's payload, with an e-mail in the columns of its list."""
    payload = json.loads(json.dumps(CATALOG[event].sample))
    if event == HISTORY:
        payload["callHistory"]["mailing_data"]["data"]["Email"] = "cliente@example.com"
    return payload


@pytest.mark.parametrize("key", recipes())
def test_its_receiver_takes_what_it_sends(key: str) -> None:
    sent = check_webhook(made(key), Policy())
    assert sent.events
    for event in sent.events:
        payload = sample(event)
        conditions = (sent.filters or {}).get(event)
        assert conditions is None or Compiled(conditions).failing(payload) is None
        RECEIVERS[key](sent, *render(sent.format, make_source(event, payload)))


@pytest.mark.parametrize("key", recipes())
def test_it_asks_little_and_says_what_was_read_and_when(key: str) -> None:
    recipe = recipes()[key]
    assert re.fullmatch(r"[a-z0-9-]+", key)
    assert 3 <= len(recipe.questions) <= 4
    # The user types at most four fields, and no path.
    assert len(TYPED[key]) == 1
    gaps = set(re.findall(r"\[\[(\w+)\]\]", json.dumps(recipe.webhook)))
    assert gaps == set(recipe.questions)
    assert {name for name, each in recipe.questions.items() if each.secret} <= SECRET_FIELDS
    assert {urlsplit(each).scheme for each in recipe.documentation} == {"https"}
    assert re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", recipe.read)
    assert recipe.yours
    assert "epetição" in recipe.repeat or "repetida" in recipe.repeat
    assert set(made(key).events or ()) <= set(CATALOG)
    assert recipe.sample().format == made(key).format


def test_an_event_without_what_the_receiver_demands_makes_no_body() -> None:
    for key in ("bitrix24", "pipedrive"):
        with pytest.raises(Unrenderable):
            render(made(key).format, make_source("agent-is-idle"))
    sent = made("rd-station")
    (condition,) = (sent.filters or {})[HISTORY]
    assert Compiled([condition]).failing(CATALOG[HISTORY].sample) is not None


def test_the_answers_fill_the_gaps_and_a_missing_one_is_a_sentence() -> None:
    assert made("bitrix24", url=" https://a.example.com/rest/1/k/ ").url.endswith(
        "/k/crm.lead.add.json"
    )
    assert made("n8n", events=f"{CONNECTED} {HISTORY}").events == (CONNECTED, HISTORY)
    assert made("make", rate="0,5").rate_limit == 0.5
    column = made("rd-station", column="E-mail do cliente").format.rows[3]
    assert column.paths == ('callHistory.mailing_data.data["E-mail do cliente"]',)
    for answers, field in (
        ({"url": " "}, "url"),
        ({"event": "agent-is-idle"}, "event"),
        ({"stage": ""}, "stage"),
    ):
        with pytest.raises(Refused) as refused:
            made("bitrix24", **answers)
        assert [each.field for each in refused.value.problems] == [field]
    with pytest.raises(Refused) as refused:
        made("make", rate="muitas")
    assert refused.value.problems[0].field == "rate"


def test_a_file_with_a_mistake_is_refused_with_the_place_of_it() -> None:
    with pytest.raises(Refused, match="There is no such field here"):
        read_recipe("x", "name: a\nwrong: b\n")
    text = "name: a\nabout: b\nquestions: {}\nyours: c\nrepeat: d\ndocumentation: []\nread: e\n"
    bad = read_recipe("x", f"{text}webhook: {{name: a, url: b, rate: 2}}\n")
    with pytest.raises(Refused, match="no such field here"):
        bad.filled({})


def test_a_recipe_takes_the_place_of_what_the_form_had() -> None:
    draft = Draft.of(Format())
    draft.change(MultiDict({"recipe": "bitrix24"}))
    assert draft.checked() == recipes()["bitrix24"].sample().format
    with pytest.raises(BadRequest):
        draft.change(MultiDict({"recipe": "nothing"}))


def test_the_flow_to_import_takes_what_its_recipe_sends() -> None:
    text = Path("docs/uso/n8n-ligacoes.json").read_text(encoding="utf-8")
    flow = json.loads(text)
    nodes = {each["name"]: each for each in flow["nodes"]}
    (webhook,) = (each for each in flow["nodes"] if each["type"] == "n8n-nodes-base.webhook")
    assert webhook["parameters"]["httpMethod"] == "POST"
    assert webhook["parameters"]["responseMode"] == "onReceived"
    targets = flow["connections"][webhook["name"]]["main"][0]
    assert [each["node"] for each in targets if each["node"] in nodes] == list(nodes)[1:]
