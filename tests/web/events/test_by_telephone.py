"""From the telephone box of every page to the timeline of a call."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import event_row, insert
from webhookproxy.web.events import by_telephone

PHONE = "5541908568406"
TYPED = "(41) 90856-8406"


def arrive(app: Flask, company: int, number: int, key: str, **call: Any) -> None:
    payload = json.dumps({"call": {"phone": PHONE, **call}})
    insert(app, [event_row(number, company, payload=payload, order_key=key)])


def found(browser: Browser, typed: str = TYPED) -> str:
    return browser.get("/ligacoes", query_string={"telefone": typed}).text


def listed(page: str) -> list[str]:
    return re.findall(r'<span class="row-title"><a href="[^"]*chave=([^"]+)">', page)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("path", ["/", "/empresas", "/eventos", "/entregas", "/conta"])
def test_every_page_has_the_box(beto: Browser, path: str) -> None:
    page = beto.get(path).text
    assert 'action="/ligacoes"' in page
    assert 'name="telefone"' in page


@pytest.mark.parametrize("typed", [TYPED, "41908568406", "+55 41 90856-8406", "0856-8406"])
def test_the_only_call_of_a_telephone_opens_at_once(
    app: Flask, place: Place, beto: Browser, typed: str
) -> None:
    arrive(app, place.company, 1, "call:TEL1", status=1)
    arrive(app, place.company, 2, "call:TEL1", status=5)
    answer = beto.get("/ligacoes", 302, query_string={"telefone": typed})
    assert answer.location == f"/empresas/company_{place.company}/ligacao?chave=call:TEL1"


def test_several_calls_are_listed_newest_first_with_what_is_known_of_each(
    app: Flask, place: Place, beto: Browser
) -> None:
    arrive(app, place.company, 1, "call:TEL1", status=1)
    arrive(app, place.company, 2, "call:TEL2", status=1)
    arrive(app, place.company, 3, "call:TEL1", status=5)
    page = found(beto)
    assert listed(page) == ["call:TEL1", "call:TEL2"]
    assert "(41) 90856-8406 · não atendida" in page
    assert "(41) 90856-8406 · discando" in page
    assert "2 eventos" in page


def test_an_agent_whose_events_have_the_telephone_is_not_a_call(
    app: Flask, place: Place, beto: Browser
) -> None:
    arrive(app, place.company, 1, "call:TEL1")
    arrive(app, place.company, 2, "agent:7")
    beto.get("/ligacoes", 302, query_string={"telefone": TYPED})


def test_a_long_list_says_that_it_is_cut(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_telephone, "CALLS_MAX", 2)
    for number in range(1, 4):
        arrive(app, place.company, number, f"call:TEL{number}")
    page = found(beto)
    assert listed(page) == ["call:TEL3", "call:TEL2"]
    assert "Há mais do que estas" in page


def test_calls_of_other_companies_are_not_found(
    app: Flask, place: Place, beto: Browser, carla: Browser
) -> None:
    arrive(app, place.other_company, 1, "call:TEL1")
    assert "Nenhuma ligação guardada tem" in found(beto)
    carla.get("/ligacoes", 302, query_string={"telefone": TYPED})


@pytest.mark.usefixtures("place")
def test_an_empty_box_says_what_to_type(beto: Browser) -> None:
    assert "De qual telefone?" in found(beto, " ")
