"""Two processes share the companies, and one is dead: what is said of a company of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

import pytest
from flask import Flask

from tests.api.conftest import Make, program
from tests.cli.conftest import Run, run
from tests.engine.processes.playing import FRESH_MS, process
from tests.web.conftest import Place
from tests.web.metrics.scraping import scrape
from tests.web.support.browser import Browser
from tests.web.support.sockets import DEAD_MS, FakeEngine, connection, execute, owner
from webhookproxy.database.fence import SHARDS, shares_of
from webhookproxy.engine.processes.listing import SILENT_MS
from webhookproxy.web.shared import live

__all__ = ["program", "run"]

LIVING, DEAD = shares_of(2)


@pytest.fixture
def shared(app: Flask, place: Place) -> Place:
    """The first process owns Carla's company; the second one, which is dead, had Beto's."""
    assert (LIVING.has(place.other_company), DEAD.has(place.company)) == (True, True)
    app.config["SHARES"] = 2
    app.extensions["engine"] = FakeEngine(shards=SHARDS // 2)
    owner(app, FRESH_MS, LIVING)
    owner(app, DEAD_MS, DEAD)
    execute(app, "UPDATE leases SET holder = CASE WHEN shard % 2 = 0 THEN 'one' ELSE 'two' END")
    process(app, "one", "owner", sockets_wished=1, sockets_connected=1)
    process(app, "two", "owner", host="relay-2", ago_ms=SILENT_MS + 5_000)
    for company in (place.company, place.other_company):
        connection(app, company, "connected", "accepted")
    return place


def answers(
    shared: Place, run: Run, page: Callable[[int], str], api: Callable[[str], Any]
) -> Mapping[str, tuple[Any, Any]]:
    """Return what each way to ask says of the company of the living owner, and of the other."""

    def each(ask: Callable[[int], Any]) -> tuple[Any, Any]:
        return ask(shared.other_company), ask(shared.company)

    companies = {
        row["id"]: row["state"] for row in json.loads(run("company", "list", "--json").stdout)
    }
    status = {row["id"]: row for row in json.loads(run("status", "--json").stdout)["companies"]}
    whole = {row["id"]: row["connection"] for row in api("/status")["companies"]}
    listed = {row["id"]: row["connection"] for row in api("/companies")["items"]}
    return {
        "page": each(lambda number: "is-green" in page(number)),
        "company list": each(lambda number: companies[f"company_{number}"]),
        "status": each(lambda number: status[f"company_{number}"]["reason"]),
        "API: a company": each(lambda n: api(f"/companies/company_{n}")["connection"]["state"]),
        "API: companies": each(lambda number: listed[f"company_{number}"]["state"]),
        "API: status": each(lambda number: whole[f"company_{number}"]["reason"]),
        "connect": each(lambda number: run("company", "connect", str(number)).stderr),
    }


def test_each_company_is_shown_as_its_own_owner_is(
    shared: Place, run: Run, ana: Browser, program: Make
) -> None:
    def page(number: int) -> str:
        text = ana.get(f"/empresas/company_{number}").text
        return text[text.index('id="conexao"') : text.index('id="titulo-webhooks"')]

    api = program("api@exemplo.com.br", admin=True).get
    note = "No server is running now for company_1: companies connect when one runs.\n"
    assert answers(shared, run, page, api) == {
        "page": (True, False),
        "company list": ("connected", "connecting"),
        "status": ("accepted", "owner_gone"),
        "API: a company": ("connected", "connecting"),
        "API: companies": ("connected", "connecting"),
        "API: status": ("accepted", "owner_gone"),
        "connect": ("", note),
    }
    assert api("/status")["storing_reason"] == "no_owner"


@pytest.mark.usefixtures("shared")
def test_who_asks_for_the_whole_is_told_the_worst(
    app: Flask, run: Run, ana: Browser, beto: Browser
) -> None:
    answer = app.test_client().get("/saude")
    facts = json.loads(answer.data)
    assert (answer.status_code, facts["storing_reason"], facts["owner"]) == (503, "no_owner", True)
    assert facts["sockets"] == {"wished": 2, "connected": 1}
    assert facts["owner_seen_ms"] >= DEAD_MS
    found = scrape(app)
    assert found.value("webhookproxy_storing") == 0
    assert found.value("webhookproxy_shards_without_owner") == SHARDS // 2
    assert found.value("webhookproxy_shards_owned", process="owner") == SHARDS // 2
    assert found.value("webhookproxy_sockets_connected") == 1
    first, second, third, *_ = run("status").stdout.splitlines()
    assert first == "No process owns these shares of 2: 1. Companies: 1."
    assert ", shares 0 of 2, version 1.0" in second
    assert "silent since" in third
    told = json.loads(run("status", "--json").stdout)
    assert told["shares_without_owner"] == [1]
    assert [each["shares"] for each in told["processes"]] == [[0], [1]]
    # Who sees one company is not told how many others there are.
    of_all = "1 empresa sem conexão: nenhum processo cuida delas; o que cuidava parou"
    assert of_all in ana.get("/empresas").text
    of_one = beto.get("/empresas").text
    assert "Nenhum processo cuida da conexão de algumas empresas; o que cuidava parou" in of_one
    assert of_all not in of_one


@pytest.mark.usefixtures("shared")
def test_the_page_of_the_processes_says_who_has_which_part_and_what_no_one_has(
    app: Flask, ana: Browser
) -> None:
    page = unescape(ana.get("/processos").text)
    assert "As empresas estão em 2 partes" in page
    assert "Parte 1 de 2 sem dono que dê sinal: 1 empresa sem conexão." in page
    assert "Tem a parte 0 de 2: 1 de 1 conexão aberta." in page
    # It was started without the setting: the leases say it as well.
    app.config["SHARES"] = 1
    owner(app, FRESH_MS, DEAD)
    execute(app, "UPDATE leases SET holder = 'two' WHERE shard % 2 = 1")
    process(app, "three", "standby", host="relay-3")
    execute(app, "UPDATE processes SET seen_at = seen_at + 600000")
    page = unescape(ana.get("/processos").text)
    assert "<strong>2 processos</strong> dividem as 2 partes" in page
    assert "sem dono que dê sinal" not in page
    assert page.count("de 2: ") == 2
    # One has all of it.
    execute(app, "UPDATE leases SET holder = 'one'")
    assert "Cuida de todas as empresas" in ana.get("/processos").text


@pytest.mark.parametrize(
    ("shards", "hears", "often"),
    [
        (SHARDS, False, False),
        (SHARDS // 2, False, True),
        (SHARDS // 2, True, False),
        (0, True, False),
    ],
)
def test_a_live_page_looks_more_often_only_where_it_is_not_told_of_every_company(
    app: Flask, shards: int, hears: bool, often: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listening:
        hears_others = hears
        waited = 0.0

        def wait(self, seconds: float) -> bool:
            self.waited = seconds
            return False

    monkeypatch.setattr(live, "DRAW_SECONDS", 0.0)
    app.extensions["engine"] = FakeEngine(shards=shards)
    listening: Any = Listening()
    with app.app_context():
        live._wait(listening, listening)
    assert (listening.waited == live.LOOK_SECONDS_ELSEWHERE) is often
