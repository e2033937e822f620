"""The lists as files: the same filter, masked, for Excel, and read in rounds."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import deliver, delivery_row, event_row, insert
from tests.web.support.sockets import execute
from webhookproxy.extensions import db
from webhookproxy.models.types import to_ms
from webhookproxy.web.exports import csv_sheet as sheets

PHONE = "5542999998888"


def sheet(browser: Browser, path: str) -> list[dict[str, str]]:
    """The lines of a file, by the words of its first."""
    answer = browser.get(path)
    assert answer.mimetype == "text/csv"
    text = answer.data.decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";"))


def last(browser: Browser, path: str) -> str:
    return browser.get(path).text.rstrip("\r\n").rsplit("\r\n", 1)[-1]


def test_the_deliveries_are_those_of_the_list(app: Flask, place: Place, beto: Browser) -> None:
    at = 1795600000123
    deliver(app, place.company, place.webhook, 1, received_ms=at, ended_ms=at + 1000)
    deliver(app, place.company, place.webhook, 2, state="refused", reason="refused_status",
            status=422, attempts=3, name="call-was-missed", order_key="call:TEL1")  # fmt: skip
    deliver(app, place.other_company, place.other_webhook, 3)
    found = sheet(beto, "/entregas.csv")
    assert [row["Entrega"] for row in found] == ["delivery_2", "delivery_1"]
    refused, accepted = found
    assert (refused["Estado"], refused["HTTP"], refused["Tentativas"]) == ("Recusada", "422", "3")
    assert "422" in refused["Motivo"]
    assert accepted["Empresa"] == "Televendas Guarapuava"
    assert accepted["ID do evento"] == f"evt_{1:032x}"
    assert accepted["Chegou em"] == "25/11/2026 06:46:40"
    assert accepted["Chegou em (UTC)"] == "2026-11-25T09:46:40.123Z"
    assert accepted["Terminou em (UTC)"] == "2026-11-25T09:46:41.123Z"
    filtered = sheet(beto, f"/entregas.csv?estado=recusada&webhook=webhook_{place.webhook}")
    assert [row["Evento"] for row in filtered] == ["call-was-missed"]
    beto.get(f"/entregas.csv?empresa=company_{place.other_company}", 404)


def test_the_events_are_those_of_the_list_each_with_what_became_of_it(
    app: Flask, place: Place, beto: Browser
) -> None:
    payload = f'{{"phone":"{PHONE}","agent":{{"name":"Marina Prado"}}}}'
    insert(
        app,
        [event_row(1, place.company, payload=payload), event_row(2, place.other_company)],
        [delivery_row(1, 1, place.webhook, state="expired", reason="too_old")],
    )
    found = sheet(beto, f"/eventos.csv?busca={PHONE}")
    assert [row["ID do evento"] for row in found] == [f"evt_{1:032x}"]
    assert found[0]["Destino"].endswith(": Expirada")
    text = beto.get(f"/eventos.csv?busca={PHONE}").text
    assert "99998888" not in text
    assert "Marina" not in text


def test_the_codes_of_a_call_are_words_in_the_file_of_the_events(
    app: Flask, place: Place, beto: Browser
) -> None:
    payload = (
        f'{{"callHistory":{{"number":"{PHONE}","agent":{{"name":"Marina"}},"status":5,'
        '"campaign":{"name":"Retenção"},"hangup_cause":19,"call_mode":"dialer","calling_time":8}}'
    )
    insert(app, [event_row(1, place.company, payload=payload)])
    (row,) = sheet(beto, "/eventos.csv")
    told = ("Campanha", "Resultado", "Desligamento", "Modo", "Duração (s)")
    assert [row[name] for name in told] == [
        *("Retenção", "não atendida", "tocou e ninguém atendeu", "discador", "8"),
    ]
    assert PHONE not in str(row)
    assert "Marina" not in str(row)


def test_the_file_of_the_deliveries_says_whose_call_it_was_as_the_account_may_see_it(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = (
        f'{{"callHistory":{{"number":"{PHONE}","agent":{{"name":"Marina"}},"status":5,'
        '"campaign":{"name":"Retenção"}}}'
    )
    deliver(app, place.company, place.webhook, 1, payload=payload)
    deliver(app, place.company, place.webhook, 2, payload="{}")
    told = ("Telefone", "Agente", "Campanha", "Resultado")
    plain, one = sheet(beto, "/entregas.csv")
    assert [one[name] for name in told] == [
        *("(42) 99999-8888", "Marina", "Retenção", "não atendida"),
    ]
    assert {plain[name] for name in told} == {""}
    # A reader has no files; if that changes, theirs are masked like their pages.
    monkeypatch.setattr("webhookproxy.web.shared.access.Account.sees_personal", False)
    masked = sheet(beto, "/entregas.csv")[1]
    assert [masked[name] for name in told] == ["•••", "•••", "Retenção", "não atendida"]


def test_a_key_that_holds_a_telephone_shows_its_last_digits(
    app: Flask, place: Place, beto: Browser
) -> None:
    insert(
        app,
        [event_row(1, place.company, order_key=f"chat:{PHONE}@c.us")],
        [delivery_row(1, 1, place.webhook, order_key=f"chat:{PHONE}@c.us")],
    )
    assert sheet(beto, "/entregas.csv")[0]["Chave"] == "chat:…8888@c.us"
    assert sheet(beto, "/eventos.csv")[0]["Chave"] == "chat:…8888@c.us"
    assert sheets.masked("call:12345678909") == "call:…8909"
    assert sheets.masked("agent:7007") == "agent:7007"
    assert sheets.masked("call:TEL0000001") == "call:TEL0000001"


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\uff1d1", "\r=1"]
)
def test_nothing_in_a_file_is_a_formula(app: Flask, place: Place, beto: Browser, name: str) -> None:
    insert(app, [event_row(1, place.company, name=name)])
    assert sheet(beto, "/eventos.csv")[0]["Evento"].startswith("'")


def test_a_separator_or_a_quote_in_a_name_stays_in_its_cell(
    app: Flask, place: Place, beto: Browser
) -> None:
    insert(app, [event_row(1, place.company, name='a;"b";=1')])
    assert sheet(beto, "/eventos.csv")[0]["Evento"] == 'a;"b";=1'


@pytest.mark.parametrize(
    ("path", "kind"), [("/entregas.csv", "delivery"), ("/eventos.csv", "event")]
)
def test_a_long_list_is_read_in_rounds_and_ends_by_saying_where_it_goes_on(
    app: Flask,
    place: Place,
    beto: Browser,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    kind: str,
) -> None:
    monkeypatch.setattr(sheets, "ROUND", 2)
    monkeypatch.setattr(sheets, "ROWS_MAX", 5)
    for number in range(1, 9):
        deliver(app, place.company, place.webhook, number, name=f"evento-{number}")
    found = sheet(beto, f"{path}?empresa=company_{place.company}")
    assert [row["Evento"] for row in found[:5]] == [f"evento-{n}" for n in (8, 7, 6, 5, 4)]
    line = last(beto, f"{path}?empresa=company_{place.company}")
    assert "O arquivo para aqui, com 5 linhas" in line
    rest = f"empresa=company_{place.company}&antes={kind}_4"
    assert rest in line
    page = beto.get(f"{path.removesuffix('.csv')}?{rest}").text
    assert "Baixar CSV daqui em diante" in page
    assert [row["Evento"] for row in sheet(beto, f"{path}?{rest}")] == [
        "evento-3",
        "evento-2",
        "evento-1",
    ]


def test_what_was_searched_for_is_not_in_the_file(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "ROWS_MAX", 1)
    for number in (1, 2):
        insert(app, [event_row(number, place.company, payload=f'{{"phone":"{PHONE}"}}')])
    line = last(beto, f"/eventos.csv?busca={PHONE}")
    assert "com a mesma busca" in line
    assert "8888" not in line


def test_no_connection_is_held_while_somebody_downloads_slowly(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "ROUND", 1)
    for number in (1, 2, 3):
        deliver(app, place.company, place.webhook, number)
    answer: Any = beto.client.get("/entregas.csv", buffered=False)
    pieces = 0
    for _ in answer.response:
        assert not db.session.registry.has()
        pieces += 1
    assert pieces > 3


def test_who_loses_their_login_meanwhile_gets_no_more(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(app, place.company, place.webhook, 1)
    monkeypatch.setattr("webhookproxy.web.shared.access.holds", lambda _: False)
    assert "seu acesso terminou" in last(beto, "/entregas.csv")
    assert "delivery_1" not in beto.get("/entregas.csv").text


def test_who_took_a_list_is_written_down_and_administrators_can_take_that_too(
    app: Flask, place: Place, ana: Browser, beto: Browser
) -> None:
    beto.get(f"/eventos.csv?empresa=company_{place.company}&busca={PHONE}")
    taken = rows(app, "SELECT who, company_id, detail FROM audit WHERE action = 'export'")
    assert [tuple(row) for row in taken] == [("beto@exemplo.com.br", place.company, "events")]
    found = sheet(ana, "/auditoria.csv?acao=export")
    assert found[-1]["Quem"] == "beto@exemplo.com.br"
    assert found[-1]["Detalhe"] == "os eventos, em CSV"
    assert found[-1]["Empresa"] == "Televendas Guarapuava"
    assert found[0]["Detalhe"] == "a auditoria, em CSV"
    beto.get("/auditoria.csv", 403)
    assert 'href="/auditoria.csv?acao=export"' in ana.get("/auditoria?acao=export").text


def test_the_gaps_of_a_month_with_what_came_back_of_each(
    app: Flask, place: Place, beto: Browser, ana: Browser
) -> None:
    day, mine = 86_400_000, f"/empresas/company_{place.company}"
    # In Brasília.
    march = to_ms(datetime(2026, 3, 1, 3, tzinfo=UTC))
    # Of the month before, across its end, two that were asked for together, and one that lasts.
    given = (
        *((-day, 5_000, False), (-1_000, 4_200, True), (day, 134_000, False)),
        *((day + 600_000, 9_000, False), (30 * day, None, False)),
    )
    gap = (
        "INSERT INTO gaps (id, company_id, started_at, ended_at, reason, recovered)"
        " VALUES (:id, :company, :began, :ended, 'dropped', :recovered)"
    )
    for number, (began, lasted, recovered) in enumerate(given, 1):
        at = march + began
        ended = None if lasted is None else at + lasted
        values = {"id": number, "company": place.company, "began": at, "ended": ended}
        execute(app, gap, **values, recovered=recovered)
    execute(
        app,
        "INSERT INTO recoveries (id, company_id, asked_ms, since_ms, until_ms, state, next_ms,"
        " recovered) VALUES (7, :company, 1, :since, :until, 'finished', 1, 37)",
        company=place.company,
        since=march + day,
        until=march + day + 609_000,
    )
    execute(app, "UPDATE companies SET created_at = 0")
    found = sheet(beto, f"{mine}/lacunas.csv?mes=2026-03")
    assert [row["Começou em"] for row in found] == [
        *("31/03/2026 00:00:00", "02/03/2026 00:10:00", "02/03/2026 00:00:00"),
        "28/02/2026 23:59:59",
    ]
    assert [row["Segundos sem socket"] for row in found[1:]] == ["9,0", "134,0", "4,2"]
    assert [row["Ligações recuperadas pelo pedido"] for row in found] == ["", "37", "37", ""]
    assert [row["Pedido de recuperação"] for row in found] == ["", "7", "7", ""]
    assert [row["Recuperada pelo servidor"] for row in found] == ["não", "não", "não", "sim"]
    assert found[0]["Terminou em"] == ""
    assert "37 ligações recuperadas; eventos de agente" in found[1]["Recuperação"]
    assert "caiu" in found[1]["Motivo"]
    rest = sheet(beto, f"{mine}/lacunas.csv?mes=2026-03&antes={march + day}")
    assert [row["Começou em"] for row in rest] == ["28/02/2026 23:59:59"]
    assert len(sheet(beto, f"{mine}/lacunas.csv?mes=2026-03&antes={'9' * 18}")) == 4
    for odd in ("mes=2026-13", "antes=-1", f"antes={10**30}"):
        beto.get(f"{mine}/lacunas.csv?{odd}", 404)
    assert f'href="{mine}/lacunas.csv?mes=2026-03"' in beto.get(f"{mine}/mes?mes=2026-03").text
    assert sheet(ana, "/auditoria.csv?acao=export")[-1]["Detalhe"] == "as lacunas, em CSV"


@pytest.mark.usefixtures("place")
def test_nobody_takes_lists_all_the_time(beto: Browser) -> None:
    for _ in range(10):
        beto.get("/eventos.csv")
    assert beto.get("/eventos.csv", 429).headers["Retry-After"]


def test_the_lists_lead_to_their_files_with_the_same_filter(
    app: Flask, place: Place, beto: Browser
) -> None:
    assert "Baixar CSV" not in beto.get("/entregas").text
    deliver(app, place.company, place.webhook, 1)
    assert 'href="/entregas.csv?estado=entregue"' in beto.get("/entregas?estado=entregue").text
    page = beto.get("/eventos?evento=call-was-connected").text
    assert 'href="/eventos.csv?evento=call-was-connected"' in page
