"""A call in one line, in the heading and rows of its pages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import delivery_row, event_row, insert
from tests.web.support.reads import reads
from webhookproxy.models import call_facts
from webhookproxy.web.events.call_words import telephone
from webhookproxy.web.shared.access import Account

KEY = "call:TEL1"
LINE = "(41) 90856-8406 · Ana · Retenção · não atendida · 8 s"
CALL = {"phone": "5541908568406", "status": 1, "campaign_id": 9}
HISTORY = {
    "number": "5541908568406",
    "agent": {"id": 7, "name": "Ana"},
    "campaign": {"id": 9, "name": "Retenção"},
    "status": 5,
    "hangup_cause": 19,
    "speaking_time": 0,
    "calling_time": 8,
}


def arrive(app: Flask, company: int, number: int, payload: Any, key: str = KEY) -> None:
    text = json.dumps(payload, ensure_ascii=False)
    insert(app, [event_row(number, company, payload=text, order_key=key)])


@pytest.fixture
def call(app: Flask, place: Place) -> None:
    """A call without an answer: its beginning, and its history with one delivery."""
    arrive(app, place.company, 1, {"call": CALL})
    arrive(app, place.company, 2, {"callHistory": HISTORY})
    insert(app, [], [delivery_row(1, 2, place.webhook)])


@pytest.mark.usefixtures("call")
def test_every_page_of_a_call_says_it_in_one_line(place: Place, beto: Browser) -> None:
    call = beto.get(f"/empresas/company_{place.company}/ligacao?chave={KEY}").text
    assert f"<h1>{LINE}</h1>" in call
    assert "Ligação TEL1 · desligamento: tocou e ninguém atendeu</p>" in call
    for path in (
        "/eventos",
        f"/eventos/evt_{2:032x}",
        f"/empresas/company_{place.company}",
        "/entregas",
        "/entregas/delivery_1",
        f"/webhooks/webhook_{place.webhook}",
    ):
        assert LINE in beto.get(path).text, path


@pytest.mark.usefixtures("call")
def test_the_page_of_an_event_says_its_codes_in_words(beto: Browser) -> None:
    page = beto.get(f"/eventos/evt_{2:032x}").text
    assert "<dt>Resultado</dt><dd>não atendida</dd>" in page
    assert "<dt>Desligamento</dt><dd>tocou e ninguém atendeu</dd>" in page


@pytest.mark.usefixtures("call")
def test_names_and_telephones_are_masked_for_who_may_not_see_them(
    place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "sees_personal", False)
    page = beto.get(f"/empresas/company_{place.company}/ligacao?chave={KEY}").text
    assert "<h1>••• · ••• · Retenção · não atendida · 8 s</h1>" in page
    # A form's token may have three letters or four digits by chance, but not as a word.
    assert not re.search(r"\b8406\b|568406|\bAna\b", page)


def test_the_events_of_an_agent_together_only_name_the_agent(
    app: Flask, place: Place, beto: Browser
) -> None:
    arrive(app, place.company, 1, {"agent": {"id": 7, "name": "Ana"}, "call": CALL}, "agent:7")
    page = beto.get(f"/empresas/company_{place.company}/ligacao?chave=agent:7").text
    assert "<h1>Ana</h1>" in page
    assert "(41) 90856-8406 · Ana · campanha 9 · discando" in page


def test_a_list_parses_no_long_payload_and_reads_all_at_once(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_facts, "PAYLOAD_MAX", 100)
    arrive(app, place.company, 1, {"call": CALL})
    few = reads(app, lambda: beto.get("/eventos"))
    for number in range(2, 9):
        arrive(app, place.company, number, {"call": CALL, "more": "x" * 100}, f"call:TEL{number}")
    assert reads(app, lambda: beto.get("/eventos")) == few
    page = beto.get("/eventos").text
    assert page.count("(41) 90856-8406") == 1
    assert "Ligação TEL8" in page


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("5541908568406", "(41) 90856-8406"),
        ("41908568406", "(41) 90856-8406"),
        ("554133334444", "(41) 3333-4444"),
        ("4133334444", "(41) 3333-4444"),
        ("5511", "5511"),
        ("08001234567", "08001234567"),
        ("14155550123456", "14155550123456"),
        ("anônimo", "anônimo"),
        ("", ""),
    ],
)
def test_a_telephone_is_written_as_in_brazil(digits: str, shown: str) -> None:
    assert telephone(digits) == shown
