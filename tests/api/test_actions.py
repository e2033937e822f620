"""What a program does: the same as the buttons of the pages, audited in its user's name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests.api.conftest import Make, Program
from tests.support.application import make_webhook, rows, store_of
from tests.support.receiver import Receiver
from tests.web.conftest import Place
from webhookproxy.models.accounts.api_tokens import Scope


def run(app: Flask, *statements: str) -> None:
    def job(connection: Any) -> None:
        for statement in statements:
            connection.execute(text(statement))

    store_of(app).run(job)


def audited(app: Flask) -> list[tuple[str, str, str]]:
    """Return who did what to what, without the making of tokens."""
    query = "SELECT who, action, subject FROM audit WHERE action <> 'api_token_made' ORDER BY id"
    return [tuple(row) for row in rows(app, query)]


def test_a_company_is_connected_and_disconnected(app: Flask, place: Place, beto: Program) -> None:
    address = f"/companies/company_{place.company}"
    for word, wished in (("connect", True), ("connect", True), ("disconnect", False)):
        answer = beto.post(f"{address}/{word}")
        assert answer["connection"]["should_connect"] is wished
    who, subject = "beto@exemplo.com.br", f"company_{place.company}"
    assert audited(app) == [(who, "connect", subject), (who, "disconnect", subject)]
    assert "token_1" in rows(app, "SELECT address FROM audit WHERE action = 'connect'")[0][0]


def test_a_webhook_is_paused_resumed_and_simulated(place: Place, beto: Program) -> None:
    address = f"/webhooks/webhook_{place.webhook}"
    assert beto.post(f"{address}/pause")["state"] == "paused"
    assert beto.post(f"{address}/resume", discard=True)["state"] == "active"
    assert beto.post(f"{address}/simulate")["state"] == "simulated"
    refused = beto.post(f"{address}/resume", 422, discard="yes", other=1)
    assert [each["path"] for each in refused["errors"]] == ["/discard", "/other"]
    assert beto.get(address)["state"] == "simulated"


def test_a_secret_goes_in_and_never_comes_out(place: Place, beto: Program) -> None:
    address = f"/webhooks/webhook_{place.webhook}"
    new = "canary-secret-that-is-new-and-long"
    answer = beto.ask("POST", f"{address}/rotate-secret", json={"secret": new})
    assert answer.status_code == 200
    assert new not in answer.text
    assert answer.json is not None
    assert answer.json["signs_twice_until"] is not None
    again = beto.ask("POST", f"{address}/rotate-secret", json={"secret": new})
    assert (again.status_code, again.mimetype) == (422, "application/problem+json")
    assert new not in again.text
    assert beto.post(f"{address}/end-rotation")["signs_twice_until"] is None
    # Nothing that was sent is in a problem, neither a text of the wrong form.
    for body in ({"secret": 12345678901}, {"secret": ""}, {"secret": new, "canary": new}):
        assert "canary-secret" not in beto.ask("POST", f"{address}/rotate-secret", json=body).text


def test_a_test_is_sent_and_answered(
    app: Flask, place: Place, beto: Program, program: Make, receiver: Receiver
) -> None:
    webhook = make_webhook(app, place.company, receiver.url())
    answer = beto.post(f"/webhooks/webhook_{webhook}/test")
    assert (answer["accepted"], answer["status"]) == (True, 200)
    assert len(receiver.requests) == 1
    blind = program("caio@exemplo.com.br", place.company, scopes=(Scope.OPERATE,))
    assert blind.post(f"/webhooks/webhook_{webhook}/test")["answer"] is None
    assert ("beto@exemplo.com.br", "webhook_tested", f"webhook_{webhook}") in audited(app)


@pytest.mark.usefixtures("filled")
def test_a_delivery_is_cancelled_resent_and_tried(beto: Program) -> None:
    address = "/deliveries/delivery_1"
    assert beto.get(address)["state"] == "queued"
    assert beto.post(f"{address}/cancel")["state"] == "cancelled"
    assert beto.post(f"{address}/resend")["state"] == "queued"
    assert beto.post(f"{address}/retry")["state"] == "queued"
    some = beto.post("/resends", ids=["delivery_1"])
    assert some == {"queued": [], "waiting": ["delivery_1"], "refused": []}
    beto.post("/resends", 404, ids=["delivery_1", "delivery_2"])
    for ids in ([], [1], ["webhook_1"], ["delivery_1"] * 51, "delivery_1"):
        assert beto.post("/resends", 422, ids=ids)["errors"]


@pytest.mark.usefixtures("filled")
def test_what_was_missed_is_resent_since_a_time(app: Flask, place: Place, beto: Program) -> None:
    run(
        app,
        "DELETE FROM bulk_resends",
        "UPDATE deliveries SET state = 'refused', reason = 'refused_status', ended_ms = 1",
    )
    address = f"/webhooks/webhook_{place.webhook}/resends"
    for body in ({"since": "yesterday"}, {"since": "2026-01-01T10:00"}, {"states": ["queued"]}):
        beto.post(address, 422, **body)
    made = beto.post(address, 201, since="2020-01-01T00:00:00Z")
    assert (made["total"], made["state"]) == (1, "running")
    assert beto.get(f"/resends/{made['id']}") == made
    assert "resend" not in beto.post(address, 422)["detail_en"]
    assert beto.post(f"/resends/{made['id']}/cancel")["state"] == "cancelled"


@pytest.mark.usefixtures("filled")
def test_personal_data_is_masked_without_the_scope_and_a_view_is_audited(
    app: Flask, place: Place, beto: Program, program: Make
) -> None:
    phone = "41988123477"
    filters = json.dumps({"x": [{"path": "p", "operator": "igual", "value": phone}]})
    run(
        app,
        f'UPDATE events SET payload = \'{{"phone": "{phone}"}}\'',
        f"UPDATE webhooks SET filters = '{filters}'",
        "INSERT INTO attempts (delivery_id, number, started_ms, duration_ms, status, reason,"
        " detail, answer, probe)"
        f" VALUES (1, 1, 1, 1, 422, 'refused_status', '{phone}', '{phone}', FALSE)",
    )
    blind = program("caio@exemplo.com.br", place.company, scopes=(Scope.OPERATE,))
    paths = ("/events/evt_1", "/deliveries/delivery_1", f"/webhooks/webhook_{place.webhook}")
    for path in paths:
        assert phone not in blind.ask("GET", path).text
        assert phone in beto.ask("GET", path).text
    for path in ("/events/evt_1/payload", "/deliveries/delivery_1/body"):
        assert blind.ask("GET", path).status_code == 403
        assert phone in beto.ask("GET", path).text
    viewed = [each for each in audited(app) if each[1] == "payload_viewed"]
    assert {each[0] for each in viewed} == {"beto@exemplo.com.br"}
    assert {each[2] for each in viewed} == {"evt_1", "delivery_1"}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 422),
        ({"data": "null", "content_type": "application/json"}, 422),
        ({"data": "ids=1", "content_type": "application/x-www-form-urlencoded"}, 415),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400),
        ({"data": "[" * 100_000, "content_type": "application/json"}, 400),
        ({"data": b"x" * 10_000_000, "content_type": "application/json"}, 413),
        ({"json": {"ids": ["delivery_1"], "ids ": 1}}, 422),
        ({"data": '{"ids": ["\\ud800"]}', "content_type": "application/json"}, 400),
    ],
)
def test_a_bad_body_is_a_problem(beto: Program, given: dict[str, Any], status: int) -> None:
    answer = beto.ask("POST", "/resends", **given)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.usefixtures("filled")
def test_an_odd_payload_is_answered_and_a_long_one_is_left_out(app: Flask, beto: Program) -> None:
    for payload in ('{"a": NaN}', '{"a": "\\ud800"}', "not json", '{"a": 123456789012345678901}'):
        run(app, f"UPDATE events SET payload = '{payload}'".replace(":", "\\:"))
        assert beto.get("/events/evt_1")["is_too_long"] is False
        assert beto.ask("GET", "/events/evt_1/payload").text == payload
    run(app, f"UPDATE events SET payload = '[{'1,' * 40_000}1]'")
    answer = beto.get("/events/evt_1")
    assert (answer["payload"], answer["is_too_long"]) == (None, True)


def test_a_nul_is_refused_where_it_stands(place: Place, beto: Program) -> None:
    address = f"/webhooks/webhook_{place.webhook}"
    for path, field in (("resends", "event"), ("test", "event"), ("rotate-secret", "secret")):
        refused = beto.post(f"{address}/{path}", 422, **{field: "a\0b"})
        assert [each["path"] for each in refused["errors"]] == [f"/{field}"]
    assert beto.ask("GET", "/events/evt_%00").status_code == 404
