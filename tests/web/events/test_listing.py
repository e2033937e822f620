"""What arrived: the list of events, its filters and its search."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import delivery_row, event_row, insert, now_ms
from webhookproxy.events.catalog import CATALOG
from webhookproxy.logs.redaction import Redaction
from webhookproxy.web.events import pages
from webhookproxy.web.events.listing import Page
from webhookproxy.web.shared.access import Account

PHONE = "5542999998888"
DAY_MS = 86_400_000


def payload_of(phone: str = PHONE, agent: str = "Marina Prado") -> str:
    return f'{{"call":{{"phone":"{phone}","telephony_id":"tel-1"}},"agent":{{"name":"{agent}"}}}}'


def arrive(app: Flask, company: int, number: int, **given: Any) -> None:
    """An event, with the phone of a customer in it unless something else is given."""
    insert(app, [event_row(number, company, **{"payload": payload_of(), **given})])


def shown(page: str) -> list[str]:
    """The names of the events of a list, in their order."""
    return re.findall(r'<a class="row-title" href="/eventos/[^"]+"><code>([^<]+)</code>', page)


def public_id(number: int) -> str:
    return f"evt_{number:032x}"


def test_the_newest_comes_first_with_what_became_of_it(
    app: Flask, place: Place, beto: Browser
) -> None:
    second = make_webhook(app, place.company, "http://127.0.0.1:9999/dois", name="Planilha")
    insert(
        app,
        [
            event_row(1, place.company, name="call-was-created", order_key="call:TEL1"),
            event_row(2, place.company, name="call-was-answered", order_key="call:TEL1"),
        ],
        [
            delivery_row(1, 2, place.webhook),
            delivery_row(2, 2, second, state="refused", reason="refused_status", status=422),
        ],
    )
    note_unwanted = "UPDATE events SET note = 'unwanted' WHERE id = 1"
    store_of(app).run(lambda connection: connection.execute(text(note_unwanted)))
    page = beto.get("/eventos").text
    assert shown(page) == ["call-was-answered", "call-was-created"]
    listed = page[page.index('class="rows') :]
    first, then = listed.split("<code>call-was-created", 1)
    assert 'href="/entregas/delivery_2"' in first
    assert "Planilha" in first
    assert "Recusada" in first
    assert "Nenhum webhook desta empresa pediu este evento." in then
    assert f'href="/empresas/company_{place.company}/ligacao?chave=call:TEL1"' in first
    assert "Ligação TEL1" in first


def test_one_sees_only_the_events_of_ones_companies(
    app: Flask, place: Place, ana: Browser, beto: Browser, carla: Browser
) -> None:
    arrive(app, place.company, 1, name="agent-is-idle")
    arrive(app, place.other_company, 2, name="chat-was-opened")
    assert shown(beto.get("/eventos").text) == ["agent-is-idle"]
    assert shown(carla.get(f"/eventos?busca={PHONE}").text) == ["chat-was-opened"]
    assert shown(ana.get("/eventos").text) == ["chat-was-opened", "agent-is-idle"]
    carla.get(f"/eventos?empresa=company_{place.company}", 404)
    carla.get(f"/eventos/{public_id(1)}", 404)
    assert "Nenhum evento guardado" in carla.get(f"/eventos?busca={public_id(1)}").text


def test_it_is_filtered_by_company_name_and_period(app: Flask, place: Place, ana: Browser) -> None:
    arrive(app, place.company, 1, name="old", received_ms=now_ms() - 3 * DAY_MS)
    arrive(app, place.company, 2, name="agent-is-idle")
    arrive(app, place.other_company, 3, name="agent-is-idle")
    arrive(app, place.company, 4, name="call-was-created")
    company = f"empresa=company_{place.company}"
    assert shown(ana.get(f"/eventos?{company}").text) == [
        "call-was-created",
        "agent-is-idle",
        "old",
    ]
    assert shown(ana.get(f"/eventos?{company}&periodo=24h").text)[-1] == "agent-is-idle"
    assert shown(ana.get(f"/eventos?{company}&evento=agent-is-idle").text) == ["agent-is-idle"]
    assert len(shown(ana.get("/eventos?evento=agent-is-idle").text)) == 2
    for no_period in ("ontem", "d9999-12-31", "d0001-01-01", "d2026-02-30"):
        ana.get(f"/eventos?periodo={no_period}", 404)
    ana.get("/eventos?antes=delivery_1", 404)


@pytest.mark.parametrize("typed", ["was-conn", "call-was-c", "connected call", "CONNECTED"])
def test_a_part_of_the_name_is_enough(app: Flask, place: Place, beto: Browser, typed: str) -> None:
    arrive(app, place.company, 1, name="call-was-connected")
    arrive(app, place.company, 2, name="agent-is-idle")
    page = beto.get("/eventos", query_string={"evento": typed}).text
    assert shown(page) == ["call-was-connected"]


def test_a_whole_name_means_only_itself(app: Flask, place: Place, beto: Browser) -> None:
    arrive(app, place.company, 1, name="call-was-abandoned")
    arrive(app, place.company, 2, name="call-was-abandoned-due-amd")
    assert shown(beto.get("/eventos?evento=call-was-abandoned").text) == ["call-was-abandoned"]


@pytest.mark.usefixtures("place")
def test_a_name_that_nothing_has_says_what_would_match(beto: Browser) -> None:
    page = html.unescape(beto.get("/eventos?evento=nao-existe").text)
    assert "nenhum evento daqui tem “nao-existe” no nome" in page


def test_the_names_of_the_catalogue_and_those_that_came_are_offered(
    app: Flask, place: Place, beto: Browser
) -> None:
    hour = now_ms() // 3_600_000

    def job(connection: Connection) -> None:
        connection.execute(
            text("INSERT INTO hourly_events VALUES (:company, :hour, 'um-evento-novo', 3)"),
            {"company": place.company, "hour": hour},
        )

    store_of(app).run(job)
    offered = re.findall(r'<option value="([^"]+)"></option>', beto.get("/eventos").text)
    assert set(offered) == {*CATALOG, "um-evento-novo"}


@pytest.mark.parametrize("typed", ["(42) 99999-8888", "42999998888", "+55 42 99999-8888", "Marina"])
def test_a_search_finds_what_is_in_the_payload(
    app: Flask, place: Place, beto: Browser, typed: str
) -> None:
    arrive(app, place.company, 1, name="agent-is-idle", payload="{}")
    arrive(app, place.company, 2, name="call-was-answered")
    page = beto.get("/eventos", query_string={"busca": typed}).text
    assert shown(page) == ["call-was-answered"]
    assert f'value="{typed}"' in html.unescape(page)


def test_a_row_says_who_was_called_by_whom_and_at_what_time(
    app: Flask, place: Place, beto: Browser
) -> None:
    arrive(app, place.company, 1, order_key="call:tel-1")
    page = beto.get("/eventos").text
    assert ">(42) 99999-8888 · Marina Prado</a>" in page
    assert re.search(r'class="row-when">\d\d:\d\d:\d\d · <time', page)


def test_who_may_not_see_personal_data_reads_neither_telephone_nor_name(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(app, place.company, 1, order_key="call:tel-1")
    monkeypatch.setattr(Account, "sees_personal", False)
    page = beto.get("/eventos").text
    listed = page[page.index('class="rows') :]
    assert "••• · •••" in listed
    assert "/ligacao" not in listed
    assert "8888" not in listed
    assert "Marina" not in listed


def test_the_id_of_an_event_leads_straight_to_it(app: Flask, place: Place, beto: Browser) -> None:
    arrive(app, place.company, 1)
    answer = beto.get("/eventos", 302, query_string={"busca": f" {public_id(1)} "})
    assert answer.location == f"/eventos/{public_id(1)}"
    assert "Nenhum evento guardado" in beto.get(f"/eventos?busca={public_id(9)}").text


def test_a_search_that_finds_nothing_says_what_was_looked_for_and_what_to_try(
    app: Flask, place: Place, beto: Browser
) -> None:
    arrive(app, place.company, 1)
    page = html.unescape(beto.get("/eventos?busca=nenhum&evento=agent-is-idle&periodo=24h").text)
    assert "Nenhum evento guardado tem “nenhum”" in page
    assert "só em agent-is-idle" in page
    assert "período: 24 horas" in page
    assert 'href="/eventos?busca=nenhum"' in page


@pytest.mark.usefixtures("place")
def test_an_empty_list_says_what_to_do_next(beto: Browser) -> None:
    assert "Nenhum evento ainda" in beto.get("/eventos").text
    assert "Nenhum evento assim" in beto.get("/eventos?evento=nenhum").text


def test_whoever_has_no_company_is_told_so(log_in: Any) -> None:
    assert "Peça a um administrador" in log_in("dora@exemplo.com.br").get("/eventos").text


def test_pages_lead_on_and_back(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 3)
    for number in range(1, 9):
        arrive(app, place.company, number, name=f"evento-{number}")
    first = beto.get("/eventos").text
    assert shown(first) == ["evento-8", "evento-7", "evento-6"]
    assert "Mais recentes" not in first
    second = beto.get(link(first, "Mais antigos")).text
    assert shown(second) == ["evento-5", "evento-4", "evento-3"]
    last = beto.get(link(second, "Mais antigos")).text
    assert shown(last) == ["evento-2", "evento-1"]
    assert "Mais antigos" not in last
    assert shown(beto.get(link(last, "Mais recentes")).text) == shown(second)
    # What is newer does not fill a page: the first page has it.
    assert shown(beto.get("/eventos?depois=event_6").text) == shown(first)


def link(page: str, words: str) -> str:
    found = re.search(rf'<a class="btn" href="([^"]+)">{words}', page)
    assert found, words
    return "/eventos" + html.unescape(found[1])


@pytest.mark.usefixtures("place")
def test_what_the_search_could_not_look_at_is_said(
    beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for behind, words in ((20_001, "mais de 20.000"), (1_200, "1.200")):
        answer = Page([], None, None, behind=behind, cut=True)
        monkeypatch.setattr(pages, "find_events", lambda *_, found=answer: found)
        page = beto.get("/eventos?busca=42").text
        assert f"A busca ainda não leu {words} eventos guardados" in page
    assert "Há mais eventos assim do que olhamos de uma vez" in page
    assert "Não achamos “42” na parte em que procuramos" in page


@pytest.fixture
def printed() -> Iterator[StringIO]:
    """What the server would print."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("typed", ["Marina Prado", "(42) 99999-8888", "4299999888"])
def test_what_is_searched_for_is_neither_printed_nor_audited(
    app: Flask,
    place: Place,
    beto: Browser,
    printed: StringIO,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
) -> None:
    arrive(app, place.company, 1)
    before = rows(app, "SELECT COUNT(*) FROM audit")

    def fail(*_: object) -> None:
        raise RuntimeError(f"cannot look for {typed}")

    beto.get("/eventos", query_string={"busca": typed})
    monkeypatch.setattr(pages, "find_events", fail)
    beto.get("/eventos", 500, query_string={"busca": typed})
    assert rows(app, "SELECT COUNT(*) FROM audit") == before
    assert "cannot look for …" in printed.getvalue()
    assert typed not in printed.getvalue()
