"""What a program reads: the rows that it may see, page by page, without secrets or numbers."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api.conftest import Make, Program
from tests.api.walk import body_of, operations
from tests.support.application import make_company
from tests.web.conftest import Place
from tests.web.support.sockets import execute
from webhookproxy.api.shared.paging import cursor_of
from webhookproxy.events.call_facts import CallFacts
from webhookproxy.events.recovery.comparison import AtWebhook, Call, Compared


def leaves(value: Any) -> list[Any]:
    """Return every value of a JSON text that is neither a list nor an object."""
    if isinstance(value, dict):
        return [each for inside in value.values() for each in leaves(inside)]
    if isinstance(value, list):
        return [each for inside in value for each in leaves(inside)]
    return [value]


def ids(value: Any) -> list[Any]:
    """Return every id in a JSON text that is not null."""
    if isinstance(value, list):
        return [each for inside in value for each in ids(inside)]
    if not isinstance(value, dict):
        return []
    own = [each for name, each in value.items() if name == "id" or name.endswith("_id")]
    found = [each for each in own if each is not None]
    return found + [each for inside in value.values() for each in ids(inside)]


def test_every_list_is_read_page_by_page(app: Flask, ana: Program) -> None:
    for number in range(5):
        make_company(app, token=f"canary-token-of-the-company-{number:04}")
    found, cursor = [], ""
    while cursor is not None:
        page = ana.get(f"/companies?limit=2&cursor={cursor}")
        assert len(page["items"]) <= 2
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert found == [f"company_{number}" for number in range(1, 6)]


def test_what_happened_is_read_page_by_page_the_newest_first(
    app: Flask, ana: Program, place: Place
) -> None:
    # Two began in the same millisecond.
    for number, began in ((1, 7), (2, 9), (3, 7), (4, 1)):
        execute(
            app,
            "INSERT INTO gaps (id, company_id, started_at, ended_at, reason)"
            f" VALUES ({number}, {place.company}, {began}, {100 + number}, 'refused')",
        )
    execute(
        app,
        "INSERT INTO recoveries (company_id, asked_ms, since_ms, until_ms, state, next_ms,"
        f" recovered) VALUES ({place.company}, 1, 9, 102, 'finished', 1, 37)",
    )
    address = f"/companies/company_{place.company}/gaps"
    first, second = ana.get(f"{address}?limit=2")["items"]
    assert (first["calls"]["recovered"], first["calls"]["state"]) == (37, "finished")
    assert first["calls"]["said"].startswith("37 ligações recuperadas;")
    assert second["calls"] is None
    found, cursor = [], ""
    while cursor is not None:
        page = ana.get(f"{address}?limit=1&cursor={cursor}")
        found += [each["ended_at"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert [each[-4:] for each in found] == ["102Z", "103Z", "101Z", "104Z"]
    # No such year.
    problem = ana.get(f"{address}?cursor={cursor_of(10**17, 1)}", 422)
    assert [each["path"] for each in problem["errors"]] == ["cursor"]


def test_the_newest_comparison_of_a_day_is_read(app: Flask, ana: Program, place: Place) -> None:
    address = f"/companies/company_{place.company}/comparison"
    found = Compared(
        listed=2,
        here=1,
        missing=[Call("lost", 0, CallFacts(telephone="41988129999"))],
        webhooks=[AtWebhook(place.webhook, {"delivered": 1})],
    )

    def store(state: str, result: str | None) -> None:
        execute(
            app,
            "INSERT INTO day_comparisons (company_id, day, asked_by, asked_ms, since_ms, until_ms,"
            f" state, next_ms, listed, result) VALUES ({place.company}, 20759, 'ana', 1, 1, 1,"
            f" '{state}', 1, 2, :result)",
            result=result,
        )

    ana.get(f"{address}?day=2026-11-02", 404)
    store("finished", found.to_json())
    told = ana.get(f"{address}?day=2026-11-02")
    assert (told["day"], told["state"], told["listed"]) == ("2026-11-02", "finished", 2)
    assert told["result"]["missing_count"] == 1
    assert told["result"]["missing"] == [{"call": "lost", "at": None}]
    (at,) = told["result"]["webhooks"]
    assert (at["id"], at["delivered"], at["lacking"]) == (f"webhook_{place.webhook}", 1, [])
    assert "41988129999" not in str(told)
    store("running", None)
    assert ana.get(f"{address}?day=2026-11-02")["result"] is None
    ana.get(f"{address}?day=ontem", 422)
    ana.get(f"{address}?day=9999-12-31", 404)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=%C3%A3", "cursor"),
        ("cursor=MS4y", "cursor"),
        ("cursor=LTE", "cursor"),
        ("page=2", "page"),
    ],
)
def test_a_wrong_query_is_named(query: str, place: str, ana: Program) -> None:
    problem = ana.get(f"/companies?{query}", 422)
    assert [each["path"] for each in problem["errors"]] == [place]
    assert problem["errors"][0]["message"]
    assert problem["errors"][0]["message_en"]


def test_what_is_unknown_is_not_found_as_json(ana: Program, place: Place) -> None:
    for path in (
        "/companies/company_999",
        "/companies/webhook_1",
        "/companies/1",
        "/companies/company_0",
        "/companies/company_99999999999999999999",
        f"/webhooks/company_{place.company}",
        "/catalogue/no-such-event",
        "/nada",
        "/",
    ):
        assert ana.get(path, 404)["title"] == "Not Found"
    refused = ana.ask("PUT", "/companies", json={})
    assert (refused.status_code, refused.mimetype) == (405, "application/problem+json")
    assert "GET" in refused.headers["Allow"]


@pytest.mark.usefixtures("filled")
def test_the_operator_of_another_company_finds_nothing_there(
    app: Flask, place: Place, carla: Program
) -> None:
    for endpoint, method, path in operations(app, place):
        if "company_" in path or "_1" in path:
            answer = carla.ask(method, path, json=body_of(endpoint))
            assert answer.status_code in (403, 404), (endpoint, answer.text)
    assert [each["id"] for each in carla.get("/companies")["items"]] == [
        f"company_{place.other_company}"
    ]


@pytest.mark.usefixtures("filled")
def test_no_answer_has_a_secret_or_a_number_too_large_for_json(
    app: Flask, place: Place, ana: Program
) -> None:
    for endpoint, method, path in operations(app, place):
        if method != "GET":
            continue
        answer = ana.ask("GET", path)
        if answer.mimetype != "application/json" or answer.status_code != 200:
            continue
        assert "canary" not in answer.text, endpoint
        for value in leaves(answer.json):
            assert not isinstance(value, int) or abs(value) < 2**53, endpoint
        # A payload of 3C Plus has ids of its own.
        found = {**(answer.json or {}), "sample": None, "payload": None}
        assert [each for each in ids(found) if not isinstance(each, str)] == [], endpoint


@pytest.mark.usefixtures("filled")
def test_every_operation_asks_for_its_scope_and_carries_the_headers(
    app: Flask, place: Place, program: Make
) -> None:
    reader = program("lena@exemplo.com.br", place.company, reader=True)
    for endpoint, method, path in operations(app, place):
        answer = reader.ask(method, path, json=body_of(endpoint))
        if method != "GET":
            assert answer.status_code == 403, endpoint
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "RateLimit" in answer.headers
        assert "Set-Cookie" not in answer.headers


def test_the_description_names_every_operation(app: Flask, place: Place) -> None:
    described = app.test_client().get("/api/v1/openapi.json").json
    assert described is not None
    assert described["openapi"].startswith("3.1")
    found = {
        operation["operationId"]
        for methods in described["paths"].values()
        for operation in methods.values()
    }
    assert found == {endpoint.partition(".")[2] for endpoint, _, _ in operations(app, place)}
