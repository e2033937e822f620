"""What a program creates, changes and deletes: once, never over a newer version, by the rules."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api.conftest import Make, Program
from tests.support.application import rows, store_of
from tests.web.conftest import Place
from webhookproxy.api.shared.problems import PREFIX
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.accounts.api_tokens import Scope

HOOK = "http://127.0.0.1:9999/novo"
SECRETS = ("canary-secret-of-the-program", "canary-auth-of-the-program", "canary-header-value")
NEW = {
    "name": "Novo",
    "url": HOOK,
    "secret": SECRETS[0],
    "authorization": SECRETS[1],
    "headers": {"X-Api-Key": SECRETS[2]},
    "events": ["call-was-connected"],
    "format": {"kind": "montado", "rows": [{"name": "a", "paths": ["call.phone"]}]},
    "success_rule": {"operator": "existe", "path": "result"},
}


def send(program: Program, method: str, path: str, body: Any = None, **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["Authorization"] = f"Bearer {program.token}"
    return program.client.open(PREFIX + path, method=method, headers=given, json=body)


def places_of(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"
    return [each["path"] for each in answer.json["errors"]]


def test_a_webhook_is_created_changed_and_deleted(app: Flask, place: Place, ana: Program) -> None:
    path = f"/companies/company_{place.company}/webhooks"
    made = send(ana, "POST", path, NEW)
    assert made.status_code == 201, made.text
    assert not any(secret in made.text for secret in SECRETS)
    webhook = f"/webhooks/{made.json['id']}"
    assert (made.json["name"], made.json["has_secret"], made.json["has_headers"]) == (
        "Novo",
        True,
        True,
    )
    changed = send(ana, "PATCH", webhook, {"rate_limit": 2, "headers": {"X-Api-Key": ""}})
    assert changed.status_code == 200, changed.text
    assert (changed.json["rate_limit"], changed.json["name"]) == (2, "Novo")
    assert send(ana, "PATCH", webhook, {"state": "paused"}).json["state"] == "paused"
    assert send(ana, "DELETE", webhook).status_code == 204
    assert send(ana, "GET", webhook).status_code == 404
    actions = [row[0] for row in rows(app, "SELECT action FROM audit ORDER BY id")][-4:]
    assert actions == ["webhook_created", "webhook_changed", "webhook_changed", "webhook_deleted"]


def test_a_company_is_created_changed_and_deleted(ana: Program) -> None:
    made = send(ana, "POST", "/companies", {"name": "Nova", "token": "canary-token-of-the-program"})
    assert made.status_code == 201, made.text
    company = f"/companies/{made.json['id']}"
    given = {"timezone": "America/Bahia", "token_expires": "2027-01-31", "retention_days": 3}
    changed = send(ana, "PATCH", company, given).json
    assert (changed["name"], changed["timezone"]) == ("Nova", "America/Bahia")
    assert changed["token_expires_at"] == "2027-01-31T03:00:00.000Z"
    assert (changed["recover_calls"], changed["rest_url"]) == (True, "")
    elsewhere = {"rest_url": "https://acme.3c.plus"}
    assert places_of(send(ana, "PATCH", company, elsewhere)) == ["/token"]
    elsewhere["token"] = "canary-token-of-the-program"
    changed = send(ana, "PATCH", company, elsewhere).json
    assert changed["rest_url"] == "https://acme.3c.plus/"
    second = {"rest_token": "canary-second-token-of-it"}
    assert send(ana, "PATCH", company, second).json["has_rest_token"] is True
    assert "canary-second" not in send(ana, "GET", company).text
    # The address was typed for the second token, so the first one is asked for again.
    without: dict[str, Any] = {"rest_token": None}
    assert places_of(send(ana, "PATCH", company, without)) == ["/token"]
    without["token"] = "canary-token-of-the-program"
    assert send(ana, "PATCH", company, without).json["has_rest_token"] is False
    assert send(ana, "DELETE", company).status_code == 204
    assert send(ana, "GET", company).status_code == 404


MISTAKEN: list[tuple[Any, list[str]]] = [
    ({}, ["/name", "/url"]),
    ([], [""]),
    ({"name": "a", "url": HOOK, "urls": HOOK, "a/b": 1}, ["/a~1b", "/urls"]),
    (
        {"name": 1, "url": None, "events": "x", "timeout": "15"},
        ["/events", "/name", "/timeout", "/url"],
    ),
    ({"name": "", "url": "ftp://x", "timeout": 0}, ["/name", "/timeout", "/url"]),
    ({"name": "a", "url": HOOK, "id": "webhook_7"}, ["/id"]),
    (
        {"name": "a", "url": HOOK, "format": {"rows": [{"name": "x", "steps": ["upper"]}]}},
        ["/format/rows/0/steps/0"],
    ),
    (
        {"name": "a", "url": HOOK, "success_rule": {"operator": "igual", "path": "["}},
        ["/success_rule/path", "/success_rule/value"],
    ),
    ({"name": "a", "url": HOOK, "parallelism": 10**400, "timeout": 10**400}, ["/timeout"]),
]


def test_each_mistake_of_a_body_has_its_place(app: Flask, place: Place, ana: Program) -> None:
    before = rows(app, "SELECT COUNT(*) FROM webhooks")
    for body, places in MISTAKEN:
        answer = send(ana, "POST", f"/companies/company_{place.company}/webhooks", body)
        assert sorted(places_of(answer)) == places
    assert rows(app, "SELECT COUNT(*) FROM webhooks") == before


def test_a_key_creates_once_and_is_for_one_request(
    app: Flask, place: Place, ana: Program, program: Make
) -> None:
    path = f"/companies/company_{place.company}/webhooks"
    first = send(ana, "POST", path, NEW, Idempotency_Key="a")
    again = send(ana, "POST", path, NEW, Idempotency_Key="a")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["id"] == again.json["id"]
    other = send(ana, "POST", path, {**NEW, "name": "Outro"}, Idempotency_Key="a")
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json["detail"]
    # What was refused is not kept, and another user's key is another one.
    assert send(ana, "POST", path, {"name": "a"}, Idempotency_Key="b").status_code == 422
    assert send(ana, "POST", path, NEW, Idempotency_Key="b").json["id"] != first.json["id"]
    eva = program("eva@exemplo.com.br", scopes=tuple(Scope), admin=True)
    assert send(eva, "POST", path, NEW, Idempotency_Key="a").json["id"] != first.json["id"]
    kept = str(rows(app, "SELECT * FROM submissions"))
    assert "canary" not in kept
    assert send(ana, "POST", path, NEW, Idempotency_Key="x" * 256).status_code == 422


def test_what_only_a_newer_program_knows_is_not_changed(
    app: Flask, place: Place, ana: Program
) -> None:
    newer = 'UPDATE webhooks SET success_rule = \'{"new": "x"}\''
    store_of(app).run(lambda connection: connection.exec_driver_sql(newer) and None)
    answer = send(ana, "PATCH", f"/webhooks/webhook_{place.webhook}", {"name": "Um"})
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert "volte à versão mais nova" in answer.text


def test_nothing_is_saved_over_a_newer_version(place: Place, ana: Program) -> None:
    for path in (f"/webhooks/webhook_{place.webhook}", f"/companies/company_{place.company}"):
        seen = send(ana, "GET", path).headers["ETag"]
        assert send(ana, "PATCH", path, {"name": "Um"}, If_Match=seen).status_code == 200
        late = send(ana, "PATCH", path, {"name": "Dois"}, If_Match=seen)
        assert (late.status_code, late.mimetype) == (412, "application/problem+json")
        assert send(ana, "DELETE", path, If_Match=seen).status_code == 412
        newer = send(ana, "GET", path)
        assert newer.json["name"] == "Um"
        changed = send(ana, "PATCH", path, {"name": "Três"}, If_Match=newer.headers["ETag"])
        assert changed.headers["ETag"] != newer.headers["ETag"]


def test_who_may_write_what(place: Place, ana: Program, beto: Program, program: Make) -> None:
    webhook, company = f"/webhooks/webhook_{place.webhook}", f"/companies/company_{place.company}"
    assert send(beto, "PATCH", webhook, {"timeout": 5}).status_code == 200
    for method, path, body in (
        ("POST", "/companies", {"name": "a", "token": "t"}),
        ("PATCH", company, {"name": "a"}),
        ("DELETE", company, None),
        ("POST", f"{company}/webhooks", NEW),
        ("DELETE", webhook, None),
    ):
        assert send(beto, method, path, body).status_code == 403, path
    other = f"/webhooks/webhook_{place.other_webhook}"
    assert send(beto, "PATCH", other, {"timeout": 5}).status_code == 404
    # The secret was for the old address; an operator may not even change its path.
    assert places_of(send(beto, "PATCH", webhook, {"url": "http://127.0.0.1:9999/x"})) == ["/url"]
    assert places_of(send(ana, "PATCH", webhook, {"url": "http://127.0.0.2:9999/x"})) == ["/url"]
    some = program("ivo@exemplo.com.br", scopes=tuple(Scope), admin=True, only=(place.company,))
    assert send(some, "POST", "/companies", {"name": "a", "token": "t"}).status_code == 403
    assert send(some, "DELETE", f"/webhooks/webhook_{place.other_webhook}").status_code == 404


def test_a_reference_is_a_text_like_any_other(
    app: Flask, place: Place, ana: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOKPROXY_SECRET_CRM", "canary-of-the-variable")
    path = f"/companies/company_{place.company}/webhooks"
    reference = {"name": "a", "url": HOOK, "secret": "env:WEBHOOKPROXY_SECRET_CRM"}
    made = send(ana, "POST", path, reference)
    assert made.status_code == 201
    with app.app_context():
        number = int(made.json["id"].removeprefix("webhook_"))
        assert db.session.get_one(Webhook, number).secret == "env:WEBHOOKPROXY_SECRET_CRM"
