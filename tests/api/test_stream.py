"""What a program follows: each event once, in order, for as long as its token may."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, insert
from sqlalchemy.orm import Session

from tests.api.conftest import Make, Program
from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from webhookproxy.api.reads import stream
from webhookproxy.events import contract
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.contract import new_event_id
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.models import Event
from webhookproxy.models.accounts.api_tokens import Scope, find_api_token
from webhookproxy.models.accounts.people import find_user, grant_only
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.webhooks import delete_webhook, find_webhook

# After now: ids never go back.
NOW_MS = 1_900_000_000_000


@pytest.fixture(autouse=True)
def _ids_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the ids of this year for the other tests of the process."""
    monkeypatch.setattr(contract, "_event_ids", contract._EventIds())


def arrive(app: Flask, company: int, *numbers: int, **columns: Any) -> list[str]:
    """Store events with these numbers; return their public ids."""
    made = [
        {
            "id": number,
            "public_id": new_event_id(NOW_MS + number),
            "company_id": company,
            "name": "agent-is-idle" if number % 2 else "call-was-connected",
            "payload": f'{{"n":{number},"text":"linha\\n ação"}}',
            "order_key": "agent:1",
            "socket_id": "socket",
            "token_mask": "abcd…wxyz",
            "received_ms": NOW_MS + number,
            "hidden": 0,
            "note": None,
            **columns,
        }
        for number in numbers
    ]

    def job(connection: Connection) -> None:
        connection.execute(insert(Event), made)

    store_of(app).run(job)
    return [each["public_id"] for each in made]


def read(text: str) -> tuple[list[Any], str]:
    """Return the data of the server-sent events in a text, and the place after the last."""
    data = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return data, [line[4:] for line in text.splitlines() if line.startswith("id: ")][-1]


def follow(
    program: Program, company: int, last: str = "", query: str = ""
) -> tuple[list[Any], str]:
    answer = program.client.get(
        f"/api/v1/companies/company_{company}/stream?seconds=0{query}",
        headers={"Authorization": f"Bearer {program.token}", "Last-Event-ID": last},
    )
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/event-stream"
    return read(answer.text)


def test_each_event_comes_once_and_in_order_from_the_place_on(
    app: Flask, beto: Program, place: Place
) -> None:
    assert follow(beto, place.company) == ([], "evt_0")
    sent = arrive(app, place.company, *range(1, 40))
    arrive(app, place.other_company, 40)
    found, last = follow(beto, place.company, "evt_0")
    assert [each["event_id"] for each in found] == sent
    assert last == sent[-1]
    assert follow(beto, place.company) == ([], sent[-1])
    assert [each["event_id"] for each in follow(beto, place.company, sent[30])[0]] == sent[31:]
    body = json.loads(found[0]["body"])
    assert body["payload"] == {"n": 1, "text": "linha\n ação"}
    assert body["meta"]["event_id"] == sent[0]
    assert rows(app, "SELECT subject FROM audit WHERE action = 'payload_viewed'") == [
        (f"company_{place.company}",)
    ]


def test_a_place_whose_event_was_purged_is_found_by_its_time(
    app: Flask, beto: Program, place: Place
) -> None:
    first, second, third = arrive(app, place.company, 1, 2, 3)
    store_of(app).run(
        lambda held: held.exec_driver_sql("DELETE FROM events WHERE id <= 2") and None
    )
    assert [each["event_id"] for each in follow(beto, place.company, second)[0]] == [third]
    assert [each["event_id"] for each in follow(beto, place.company, first)[0]] == [third]
    answer = beto.client.get(
        f"/api/v1/companies/company_{place.company}/stream",
        headers={"Authorization": f"Bearer {beto.token}", "Last-Event-ID": "evt_x"},
    )
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["path"] == "Last-Event-ID"


def test_a_webhook_lends_its_events_conditions_and_format_but_no_secret(
    app: Flask, beto: Program, place: Place
) -> None:
    condition = Condition("n", Operator.GREATER, "3")
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:4000/",
        events=("agent-is-idle",),
        filters={"agent-is-idle": (condition,)},
        format=Format(FormatKind.PAYLOAD),
        secret="canary-secret-of-the-webhook",
        authorization="Bearer canary-authorization",
    )
    sent = arrive(app, place.company, *range(1, 9))
    arrive(app, place.company, 9, payload="", note="too_large")
    found, last = follow(beto, place.company, "evt_0", f"&like=webhook_{webhook}")
    assert [json.loads(each["body"])["n"] for each in found] == [5, 7]
    assert found[0]["headers"] == {
        "X-Webhook-Event-Id": sent[4],
        "X-Webhook-Company-Id": f"company_{place.company}",
    }
    assert last not in sent
    assert "canary" not in json.dumps(found)
    path = f"/companies/company_{place.company}/stream?seconds=0&like=webhook_"
    beto.get(f"{path}{place.other_webhook}", 404)
    beto.get(f"{path}99", 404)


def test_a_stream_needs_the_scope_a_company_and_a_free_place(
    app: Flask, program: Make, carla: Program, place: Place
) -> None:
    path = f"/companies/company_{place.company}/stream?seconds=0"
    reader = program("leo@exemplo.com.br", place.company, scopes=(Scope.READ,))
    assert "payloads" in reader.get(path, 403)["detail_en"]
    carla.get(path, 404)
    own = f"/companies/company_{place.other_company}/stream?seconds=0"
    with carla.ask("GET", own) as answer:
        assert answer.status_code == 200
    assert app.extensions["api_streams"] == 0
    app.extensions["api_streams"] = stream.STREAMS_MAX
    problem = carla.ask("GET", own)
    assert (problem.status_code, problem.headers["Retry-After"]) == (503, "10")
    assert "20 streams" in problem.json["detail_en"]  # type: ignore[index]


def revoke(session: Session, _place: Place) -> None:
    find_api_token(session, 1).revoke()


def demote(session: Session, _place: Place) -> None:
    find_user(session, "beto@exemplo.com.br").is_reader = True


def take_away(session: Session, _place: Place) -> None:
    grant_only(session, find_user(session, "beto@exemplo.com.br"), ())


def delete(session: Session, place: Place) -> None:
    delete_company(session, find_company(session, place.company))


def delete_like(session: Session, place: Place) -> None:
    delete_webhook(session, find_webhook(session, place.webhook))


@pytest.mark.parametrize("end", [revoke, demote, take_away, delete, delete_like])
def test_a_stream_ends_with_the_right_to_it(
    end: Callable[[Session, Place], None],
    app: Flask,
    beto: Program,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "RIGHTS_SECONDS", 0.0)
    monkeypatch.setattr(stream, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.0)
    lines = opened(beto, place)
    assert next(lines) == "id: evt_0\n\n"
    arrive(app, place.company, 1)
    assert "agent-is-idle" in next(lines)
    store_of(app).session(lambda session: end(session, place))
    arrive(app, place.company, 3)
    assert list(lines) == []
    assert app.extensions["api_streams"] == 0


def test_a_stream_ends_with_the_server(app: Flask, beto: Program, place: Place) -> None:
    lines = opened(beto, place)
    next(lines)
    app.extensions["broadcast"].close()
    assert list(lines) == []


def opened(program: Program, place: Place) -> Iterator[str]:
    """Yield what a stream without an end says."""
    answer = program.client.get(
        f"/api/v1/companies/company_{place.company}/stream?like=webhook_{place.webhook}",
        headers={"Authorization": f"Bearer {program.token}"},
    )
    assert answer.status_code == 200, answer.text
    with answer:
        for part in answer.response:
            yield part if isinstance(part, str) else part.decode()
