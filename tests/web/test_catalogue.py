"""The catalogue of a company: which names there are, which of them come, and who takes them."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import event_row, insert, now_ms
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.masked import masked

PHONE = "5542999998888"


def came(app: Flask, company: int, name: str, hours_ago: int, count: int = 1) -> None:
    """Count `count` events in that hour."""
    values = {
        "company": company,
        "hour": now_ms() // 3_600_000 - hours_ago,
        "name": name,
        "count": count,
    }
    statement = text("INSERT INTO hourly_events VALUES (:company, :hour, :name, :count)")
    store_of(app).run(lambda connection: connection.execute(statement, values) and None)


def address(place: Place, query: str = "") -> str:
    return f"/empresas/company_{place.company}/catalogo{query}"


def shown(page: str) -> list[str]:
    return re.findall(r'<a class="row-title"[^>]*><code>([^<]+)</code>', page)


def row_of(page: str, name: str) -> str:
    """What the list says of a name."""
    return page.split(f"<code>{name}</code>", 1)[1].split("</li>", 1)[0]


def test_every_name_of_the_catalogue_and_every_one_that_came_is_listed(
    app: Flask, place: Place, beto: Browser
) -> None:
    came(app, place.company, "agent-is-idle", 1, 1234)
    came(app, place.company, "um-evento-novo", 30)
    came(app, place.other_company, "de-outra-empresa", 1)
    page = beto.get(address(place)).text
    assert set(shown(page)) == {*CATALOG, "um-evento-novo"}
    assert "1 nome chegou nas últimas 24 h" in page
    idle = row_of(page, "agent-is-idle")
    assert "1.234 em 24 h" in idle
    assert f'href="/webhooks/webhook_{place.webhook}"' in idle
    assert "só visto aqui" in row_of(page, "um-evento-novo")
    assert "último <time" in row_of(page, "um-evento-novo")
    assert 'href="/empresas/company_' in beto.get(f"/empresas/company_{place.company}").text


def test_the_most_frequent_comes_first_under_the_category_of_which_most_came(
    app: Flask, place: Place, beto: Browser
) -> None:
    came(app, place.company, "chat-was-opened", 1, 5)
    came(app, place.company, "agent-is-idle", 1, 2)
    came(app, place.company, "agent-in-acw", 1, 4)
    assert shown(beto.get(address(place)).text)[:2] == ["agent-in-acw", "agent-is-idle"]
    came(app, place.company, "chat-was-opened", 2, 5)
    assert shown(beto.get(address(place)).text)[0] == "chat-was-opened"


def test_what_came_first_in_these_seven_days_is_new(
    app: Flask, place: Place, beto: Browser
) -> None:
    came(app, place.company, "agent-is-idle", 200)
    came(app, place.company, "agent-is-idle", 2)
    came(app, place.company, "um-evento-novo", 160)
    assert shown(beto.get(address(place, "?mostrar=novos")).text) == ["um-evento-novo"]


def test_of_a_company_that_is_new_itself_no_name_is(
    app: Flask, place: Place, beto: Browser
) -> None:
    came(app, place.company, "agent-is-idle", 2)
    assert "Nenhum evento assim" in beto.get(address(place, "?mostrar=novos")).text


def test_it_is_filtered_by_category_by_words_and_by_who_takes_it(
    app: Flask, place: Place, beto: Browser
) -> None:
    page = beto.get(address(place, "?categoria=sms")).text
    assert {CATALOG[name].category for name in shown(page)} == {"sms"}
    assert "agent-is-idle" in shown(beto.get(address(place, "?busca=IS-IDLE")).text)
    assert shown(beto.get(address(place, "?mostrar=sem-webhook")).text) == []
    chosen = text("UPDATE webhooks SET events = '[\"agent-is-idle\"]' WHERE id = :id")
    given = {"id": place.webhook}
    store_of(app).run(lambda connection: connection.execute(chosen, given) and None)
    untaken = shown(beto.get(address(place, "?mostrar=sem-webhook")).text)
    assert set(untaken) == {*CATALOG} - {"agent-is-idle"}
    beto.get(address(place, "?categoria=nenhuma"), 404)
    beto.get(address(place, "?mostrar=nada"), 404)


def test_a_name_shows_its_last_event_without_the_people_in_it(
    app: Flask, place: Place, beto: Browser
) -> None:
    payload = {"call": {"phone": PHONE, "status": 7, "telephony_id": "TEL01"}, "x": "Ana Lima"}
    insert(
        app,
        [
            event_row(1, place.company, payload='{"old":1}'),
            event_row(2, place.company, payload=json.dumps(payload)),
            event_row(3, place.other_company, payload='{"other":1}'),
        ],
    )
    page = beto.get(address(place, "/evento?nome=call-was-connected")).text
    assert "TEL01" in page
    assert "&#34;status&#34;: 7" in page
    assert "9999" not in page
    assert "Ana Lima" not in page
    assert f'href="/eventos/evt_{2:032x}"' in page
    assert rows(app, "SELECT 1 FROM audit WHERE action = 'payload_viewed'") == []


def test_a_name_that_never_came_shows_the_catalogues_example(place: Place, beto: Browser) -> None:
    page = beto.get(address(place, "/evento?nome=agent-is-idle")).text
    assert "Exemplo do catálogo" in page
    assert CATALOG["agent-is-idle"].description.split(";")[0][:30] in page
    beto.get(address(place, "/evento?nome=nunca-visto"), 404)
    assert shown(beto.get(address(place, "/evento")).text)


def test_a_name_leads_to_the_form_of_each_webhook_that_does_not_take_it(
    app: Flask, place: Place, beto: Browser
) -> None:
    second = make_webhook(
        app, place.company, "http://127.0.0.1:9999/x", name="Planilha", events=("chat-was-opened",)
    )
    page = beto.get(address(place, "/evento?nome=agent-is-idle")).text
    assert f'href="/webhooks/webhook_{second}/editar?evento=agent-is-idle#events"' in page
    assert f'href="/webhooks/webhook_{place.webhook}/editar"' not in page
    assert "(pede todos)" in page
    assert (
        f'href="/webhooks/webhook_{place.webhook}/filtros/condicoes?evento=agent-is-idle"' in page
    )


@pytest.mark.parametrize(
    "value",
    [PHONE, "(42) 99999-8888", "Ana Lima", "ana", "ana@exemplo.com.br", "123.456.789-09", 12345678,
     "http://x/1", "ligar 2x", "Décio", 5542999998888, ["Ana"], {"nome": "7"}],
)  # fmt: skip
def test_what_may_be_a_persons_is_masked(value: object) -> None:
    found = json.loads(masked(json.dumps({"alguma": value})) or "")
    assert found["alguma"] in ("•••", ["•••"], {"nome": "•••"})


@pytest.mark.parametrize(
    "value", [7, 1.5, None, True, "", "TEL0000001", "2024-01-01T00:00:00.000Z", "7007", "a1-b2"]
)
def test_a_code_a_time_or_a_short_number_is_not(value: object) -> None:
    assert json.loads(masked(json.dumps({"alguma": value})) or "") == {"alguma": value}


def test_under_a_persons_key_nothing_is_shown_and_keys_that_are_numbers_are_masked() -> None:
    given = '{"first_name":"x1","phone":7,"5542999998888":{"id":3},"agent":{"id":7,"name":"B2"}}'
    assert json.loads(masked(given) or "") == {
        "first_name": "•••",
        "phone": "•••",
        "•••": {"id": 3},
        "agent": {"id": 7, "name": "•••"},
    }


@pytest.mark.parametrize("payload", ["", "{", "[" * 100_000])
def test_what_cannot_be_read_is_not_shown(payload: str) -> None:
    assert masked(payload) is None


def test_the_categories_are_written_as_people_write_them(ana: Browser, place: Place) -> None:
    page = ana.get(f"/empresas/company_{place.company}/catalogo").text
    for name in ("SMS", "E-mail", "WhatsApp"):
        assert f">{name}</option>" in page
