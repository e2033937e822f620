"""The events of one call in their order, each with its deliveries."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, delivery_row, event_row, insert
from tests.web.support.reads import reads
from webhookproxy.web.events import call as event_call
from webhookproxy.web.events.words import key_words, lapse

KEY = "call:TEL1"
BEGAN = 1_795_600_000_000


@pytest.fixture(autouse=True)
def call(app: Flask, place: Place) -> None:
    """Three events of a call, and one of another in between."""
    names = ("call-was-created", "call-was-answered", "call-was-finished")
    times = (BEGAN, BEGAN + 3_400, BEGAN + 200_000)
    events = [
        event_row(number, place.company, name=name, order_key=KEY, received_ms=at)
        for number, (name, at) in enumerate(zip(names, times, strict=True), 1)
    ]
    events.append(event_row(4, place.company, name="outra", order_key="call:TEL2"))
    events.append(event_row(5, place.other_company, name="de-outros", order_key=KEY))
    deliveries = [
        delivery_row(1, 1, place.webhook, ended_ms=BEGAN + 230),
        delivery_row(2, 2, place.webhook, ended_ms=BEGAN + 3_500),
        delivery_row(3, 3, place.webhook, state="refused", reason="refused_status", status=422),
    ]
    insert(app, events, deliveries, [attempt_row(3, 1, status=422, answer="agente inativo")])


def address(company: int, **given: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in given.items())
    return f"/empresas/company_{company}/ligacao?chave={KEY}{query}"


def shown(page: str) -> list[str]:
    return re.findall(r'<a class="row-title" href="/eventos/[^"]+"><code>([^<]+)</code>', page)


def test_its_events_come_in_order_with_the_time_between_them(beto: Browser, place: Place) -> None:
    page = beto.get(address(place.company)).text
    assert "<h1>Ligação TEL1</h1>" in page
    assert shown(page) == ["call-was-created", "call-was-answered", "call-was-finished"]
    assert re.findall(r'<span class="muted">\+([^<]+)</span>', page) == ["3,4 s", "3 min 16 s"]
    assert "230 ms depois" in page


def test_the_first_line_sums_it_up(beto: Browser, place: Place) -> None:
    page = beto.get(address(place.company)).text
    assert "3 eventos em 3 min 20 s; 3 entregas: 2 entregues, 1 recusada." in page


def test_an_answer_is_shown_when_it_is_opened_and_that_is_written_down(
    app: Flask, beto: Browser, place: Place
) -> None:
    noted = "SELECT subject FROM audit WHERE action = 'payload_viewed'"
    assert "agente inativo" not in beto.get(address(place.company)).text
    assert rows(app, noted) == []
    assert "agente inativo" in beto.get(address(place.company, abrir="delivery_3")).text
    assert rows(app, noted) == [("delivery_3",)]
    beto.get(address(place.company, abrir="delivery_99"), 404)


def test_of_a_long_life_the_newest_events_come_first_and_lead_to_the_others(
    beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_call, "STEPS_MAX", 2)
    newest = beto.get(address(place.company)).text
    assert shown(newest) == ["call-was-answered", "call-was-finished"]
    assert "Uma parte: 2 eventos em 3 min 16 s" in newest
    assert "Os seguintes" not in newest
    assert "antes=event_2" in newest
    before = beto.get(address(place.company, antes="event_2")).text
    assert shown(before) == ["call-was-created"]
    assert "Os anteriores" not in before
    assert "depois=event_1" in before
    assert "abrir=delivery_1&amp;antes=event_2" in before
    assert shown(beto.get(address(place.company, depois="event_1")).text) == shown(newest)


def test_nothing_is_seen_of_another_company(beto: Browser, carla: Browser, place: Place) -> None:
    carla.get(address(place.company), 404)
    assert shown(carla.get(address(place.other_company)).text) == ["de-outros"]
    assert "de-outros" not in beto.get(address(place.company)).text


def test_without_a_call_or_its_events_it_says_where_to_look(beto: Browser, place: Place) -> None:
    company = f"/empresas/company_{place.company}/ligacao"
    assert "De qual ligação?" in beto.get(company).text
    assert "Nenhum evento guardado daqui" in beto.get(f"{company}?chave=call:X").text


def test_a_page_makes_as_many_reads_for_three_events_as_for_one(
    app: Flask, beto: Browser, place: Place
) -> None:
    many = reads(app, lambda: beto.get(address(place.company)))
    one = reads(app, lambda: beto.get(f"/empresas/company_{place.company}/ligacao?chave=call:TEL2"))
    assert many == one


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-5, "0 ms"),
        (999, "999 ms"),
        (3_000, "3 s"),
        (3_449, "3,4 s"),
        (59_999, "59,9 s"),
        (60_000, "1 min"),
        (200_000, "3 min 20 s"),
        (3_900_000, "1 h 5 min"),
        (86_400_000, "1 dia"),
        (183_600_000, "2 dias 3 h"),
    ],
)
def test_the_time_between_two_events_in_words(milliseconds: int, words: str) -> None:
    assert lapse(milliseconds) == words


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("call:TEL1", "Ligação TEL1"),
        ("agent:7007", "Agente 7007"),
        ("", "Empresa"),
        ("tel-1", "tel-1"),
        ("other:7", "other:7"),
        ("call:", "call:"),
        ("call:#" + "0123456789abcdef" * 4, "Ligação #0123456789ab…"),
    ],
)
def test_what_a_key_is_the_key_of(key: str, words: str) -> None:
    assert key_words(key) == words
