"""A reader sees the lists of a company without anyone's personal data, and changes nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import store_of
from tests.web.conftest import Place
from tests.web.support.addresses import methods
from tests.web.support.browser import Browser
from webhookproxy.events.call_facts import CallFacts
from webhookproxy.events.recovery.comparison import Call, Compared
from webhookproxy.models.recovery.comparisons import yesterday
from webhookproxy.models.types import day_number

# The pages that a reader has; all others are refused.
FOR_READERS = {
    "panel.show",
    "guide.show",
    "api_guide.show",
    "companies.index",
    "companies.show",
    "month.show",
    "alert_history.show",
    "comparison.show",
    "outages.index",
    "catalogue.index",
    "catalogue.show",
    "webhooks.show",
    "events.index",
    "events.show",
    "deliveries.index",
    "deliveries.show",
    "attempts.index",
}
OWN = ("login", "second_factor", "alerts", "alert_watches", "api_tokens")
PHONE, NAME, EMAIL = "41988123477", "Canario da Silva", "canario@exemplo.com"
MARKS = (PHONE, "98812-3477", NAME, EMAIL, "canario")
PAYLOAD = {"call": {"phone": PHONE, "agent": {"name": NAME, "email": EMAIL}}}
FILTERS = {"new-agent-chat": [{"path": "call.phone", "operator": "igual", "value": PHONE}]}
GIVEN: dict[str, Any] = {
    "payload": json.dumps(PAYLOAD),
    "filters": json.dumps(FILTERS),
    "key": f"chat:55{PHONE}",
    "condition": f"call.phone era {PHONE}",
    "target": f"https://crm.exemplo/?{PHONE}",
    "answer": f"invalid customer {NAME}",
    "compared": Compared(
        1, 0, missing=[Call("x1", 1, CallFacts(telephone=PHONE, agent=NAME))], only_here=[1]
    ).to_json(),
}
FILLED = """
UPDATE events SET payload = :payload, order_key = :key, name = 'new-agent-chat';
UPDATE webhooks SET filters = :filters;
UPDATE deliveries SET state = 'filtered', reason = 'filtered_out', ended_ms = 1, attempts = 1,
    condition = :condition, order_key = :key;
INSERT INTO refusal_groups (webhook_id, day, status, reason, shape, count, sample_id)
    SELECT id, :today, 422, 'refused', :answer, 3, 1 FROM webhooks;
INSERT INTO day_comparisons
    (company_id, day, asked_by, asked_ms, since_ms, until_ms, state, next_ms, ended_ms, result)
    SELECT id, :yesterday, 'cli', 1, 1, 2, 'finished', 1, 1, :compared FROM companies;
INSERT INTO attempts
    (delivery_id, number, started_ms, duration_ms, status, reason, detail, answer, probe,
     webhook_id)
    VALUES (1, 1, 1, 1, 302, 'redirected', :target, :answer, FALSE, 1)
"""


@pytest.fixture
def filled(app: Flask, addresses: dict[str, str]) -> dict[str, str]:
    """The addresses; the event's payload, key, answer and condition have a person in them."""

    # Tests are collected long before they run: the day may be another one by then.
    day_before = day_number(yesterday())
    given = {**GIVEN, "yesterday": day_before, "today": day_before + 1}

    def job(connection: object) -> None:
        for statement in FILLED.split(";"):
            query = text(statement)
            used = {name: given[name] for name in query._bindparams}
            connection.execute(query, used)  # type: ignore[attr-defined]

    store_of(app).run(job)
    return addresses


def is_own(endpoint: str) -> bool:
    return endpoint.split(".")[0] in (
        *("login", "second_factor", "alerts", "alert_watches"),
        "api_tokens",
    )


def test_a_reader_changes_nothing(app: Flask, addresses: dict[str, str], lena: Browser) -> None:
    for endpoint, address in addresses.items():
        if "POST" in methods(app, endpoint) and not is_own(endpoint):
            assert "Sem permissão" in lena.post(address, 403).text, endpoint


def test_a_reader_has_only_the_pages_that_are_marked_for_them(
    app: Flask, addresses: dict[str, str], lena: Browser
) -> None:
    for endpoint, address in addresses.items():
        if "GET" in methods(app, endpoint) and not is_own(endpoint):
            shown = endpoint in FOR_READERS
            if not shown and endpoint.removesuffix("watch") + "show" in FOR_READERS:
                continue
            lena.get(address, 200 if shown else 403)


def test_no_page_of_a_reader_has_anyones_personal_data(
    filled: dict[str, str], lena: Browser, beto: Browser
) -> None:
    for endpoint in FOR_READERS:
        page = lena.get(filled[endpoint]).text
        assert [mark for mark in MARKS if mark in page] == [], endpoint
    # The pages hide something that is there.
    for endpoint, mark in (
        ("events.show", NAME),
        ("comparison.show", NAME),
        ("events.index", PHONE),
        ("deliveries.index", PHONE),
        ("deliveries.show", GIVEN["answer"]),
    ):
        assert mark in beto.get(filled[endpoint]).text, endpoint


def test_no_live_page_of_a_reader_has_anyones_personal_data(
    filled: dict[str, str], lena: Browser
) -> None:
    for endpoint in ("panel.show", *FOR_READERS):
        watch = filled.get(endpoint.replace("show", "watch"))
        if watch is None or not endpoint.endswith("show"):
            continue
        with lena.client.get(watch, headers={"Accept": "text/event-stream"}) as answer:
            assert answer.status_code == 200, endpoint
            drawn = ""
            for line in answer.iter_encoded():
                drawn += line.decode()
                if b"event: beat" in line:
                    break
        assert "event: part" in drawn
        assert [mark for mark in MARKS if mark in drawn] == [], endpoint


def test_every_link_and_button_of_a_reader_leads_somewhere(
    filled: dict[str, str], lena: Browser
) -> None:
    found: set[str] = set()
    for endpoint in FOR_READERS:
        page = lena.get(filled[endpoint]).text
        found |= set(re.findall(r'href="(/[^"#]*)', page))
        assert set(re.findall(r'<form method="post" action="([^"]*)"', page)) == {"/sair"}, endpoint
    for address in found:
        if not address.startswith("/static/"):
            lena.get(address.replace("&amp;", "&"))


def test_a_reader_may_not_ask_whether_a_telephone_is_there(lena: Browser) -> None:
    assert 'name="busca"' not in lena.get("/eventos").text
    lena.get("/eventos?busca=4199", 403)


def test_a_reader_finds_nothing_of_another_company(lena: Browser, place: Place) -> None:
    lena.get(f"/empresas/company_{place.other_company}", 404)
    lena.get(f"/webhooks/webhook_{place.other_webhook}", 404)


def test_whoever_becomes_a_reader_reads_no_more_payloads_at_once(
    app: Flask, filled: dict[str, str], beto: Browser
) -> None:
    assert NAME in beto.get(filled["events.show"]).text
    store_of(app).run(lambda c: c.execute(text("UPDATE users SET is_reader = TRUE")) and None)
    assert NAME not in beto.get(filled["events.show"]).text
    beto.get(filled["events.payload"], 403)
