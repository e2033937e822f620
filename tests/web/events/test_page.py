"""The page of one event: its payload, and the audit entry of a user who opened it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, delivery_row, event_row, insert
from tests.web.support.reads import reads
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.web.events import pages as events

PAGE = f"/eventos/evt_{1:032x}"
PAYLOAD = '{"call":{"phone":"5542999998888","price":1.50,"price":2.0},"odd":"\\u00e9"}'


@pytest.fixture(autouse=True)
def event(app: Flask, place: Place) -> None:
    row = event_row(
        1,
        place.company,
        payload=PAYLOAD,
        order_key="call:TEL1",
        received_ms=1_795_600_000_123,
        hidden=2,
    )
    insert(app, [row], [delivery_row(1, 1, place.webhook)])


def test_it_says_what_arrived_when_and_of_which_call(beto: Browser, place: Place) -> None:
    page = beto.get(PAGE).text
    assert "<h1><code>call-was-connected</code></h1>" in page
    assert "25/11/2026 06:46:40,123" in page
    assert f"/empresas/company_{place.company}/ligacao?chave=call:TEL1" in page
    assert "Televendas Guarapuava" in page
    assert "2 foram trocadas por “[oculto]”" in page
    # The catalogue's words.
    assert "<dt>O que é</dt>" in page


def test_the_payload_is_laid_out_without_a_character_being_changed(beto: Browser) -> None:
    page = beto.get(PAGE).text
    assert "&#34;price&#34;: 1.50,\n    &#34;price&#34;: 2.0" in page
    assert "\\u00e9" in page


def test_a_long_payload_is_downloaded_instead(
    beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAYLOAD_MAX", 20)
    page = beto.get(PAGE).text
    assert "5542999998888" not in page
    assert f"O conteúdo tem {len(PAYLOAD)} bytes" in page
    answer = beto.get(f"{PAGE}/conteudo")
    assert answer.text == PAYLOAD
    assert answer.mimetype == "application/json"
    assert "attachment" in answer.headers["Content-Disposition"]


def viewed(app: Flask) -> list[Any]:
    query = "SELECT who, company_id, subject FROM audit WHERE action = 'payload_viewed'"
    return rows(app, query + " ORDER BY id")


def test_that_somebody_looked_is_written_down_once(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    for person in (ana, beto, ana):
        person.get(PAGE)
    ana.get(f"{PAGE}/conteudo")
    subject = PAGE.rpartition("/")[2]
    assert viewed(app) == [
        ("ana@exemplo.com.br", place.company, subject),
        ("beto@exemplo.com.br", place.company, subject),
    ]
    assert f'href="{PAGE}"' in ana.get("/auditoria").text


def test_whoever_may_not_see_it_has_not_seen_it(app: Flask, carla: Browser) -> None:
    for address in (PAGE, f"{PAGE}/conteudo", f"{PAGE}/ao-vivo", "/eventos/evt_99"):
        carla.get(address, 404)
    assert viewed(app) == []


def test_it_changes_by_itself_only_while_something_waits(app: Flask, beto: Browser) -> None:
    assert "data-live" not in beto.get(PAGE).text

    def queue(session: Any) -> None:
        find_delivery(session, 1).state = "queued"

    store_of(app).session(queue)
    assert f'data-live="{PAGE}/ao-vivo"' in beto.get(PAGE).text
    stream = beto.client.get(f"{PAGE}/ao-vivo", buffered=False)
    texts = (each if isinstance(each, str) else each.decode() for each in stream.response)
    lines = (line for text in texts for line in text.splitlines())
    parts = (json.loads(line[6:]) for line in lines if line.startswith("data: {"))
    part = next(each for each in parts if each["id"] == "destinos")
    stream.close()
    assert "Na fila" in part["html"]
    assert "Ainda não chegou" in part["html"]


def test_the_pages_around_it_lead_to_it(beto: Browser, place: Place) -> None:
    for address in (
        "/entregas",
        "/entregas/delivery_1",
        "/eventos",
        f"/empresas/company_{place.company}",
        f"/empresas/company_{place.company}/ligacao?chave=call:TEL1",
    ):
        assert f'href="{PAGE}"' in beto.get(address).text, address
    assert 'href="/eventos?periodo=hoje"' in beto.get("/").text


def test_a_page_makes_as_many_reads_for_many_webhooks_as_for_one(
    app: Flask, beto: Browser, place: Place
) -> None:
    few = reads(app, lambda: beto.get(PAGE))
    made = [
        make_webhook(app, place.company, "http://127.0.0.1:9999/", name=f"Outro {number}")
        for number in range(12)
    ]
    deliveries = [delivery_row(number, 1, webhook) for number, webhook in enumerate(made, 2)]
    insert(app, [], deliveries, [attempt_row(number, 1) for number in range(2, 14)])
    assert reads(app, lambda: beto.get(PAGE)) == few
