from __future__ import annotations

from flask import Flask

from tests.api.conftest import Make, Program
from tests.api.walk import body_of, operations
from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.sockets import execute
from webhookproxy.models.accounts.api_tokens import Scope


def test_only_a_good_token_in_the_header_opens_anything(app: Flask, ana: Program) -> None:
    wrong = ana.token[:-1] + ("A" if ana.token[-1] != "A" else "B")
    cases = [
        {},
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": f"Basic {ana.token}"},
        {"Authorization": ana.token},
        {"Cookie": f"session={ana.token}; token={ana.token}"},
    ]
    for headers in cases:
        for path in (f"/api/v1/companies?token={ana.token}", "/api/v1/nada"):
            answer = app.test_client().get(path.replace("?token", "?x"), headers=headers)
            assert answer.status_code == 401
            assert answer.mimetype == "application/problem+json"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Cache-Control"] == "no-store"
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "Set-Cookie" not in answer.headers
    assert ana.get("/companies")["items"] == []


def test_a_login_opens_no_operation_and_a_token_no_page(app: Flask, ana: Program) -> None:
    page = app.test_client().get("/empresas", headers={"Authorization": f"Bearer {ana.token}"})
    assert page.status_code == 303


def test_a_token_is_dead_at_once_when_it_or_its_user_ends(
    app: Flask, place: Place, program: Make
) -> None:
    ends = (
        "UPDATE api_tokens SET revoked_at = created_at",
        "UPDATE api_tokens SET expires_at = created_at",
        "DELETE FROM users WHERE id > 1",
    )
    program("first@exemplo.com.br", admin=True)
    for number, statement in enumerate(ends):
        found = program(f"beto{number}@exemplo.com.br", admin=True)
        found.get("/companies")
        execute(app, statement)
        for endpoint, method, path in operations(app, place):
            answer = found.ask(method, path, json=body_of(endpoint))
            assert answer.status_code == 401, (statement, endpoint)


def test_a_token_may_what_its_user_may_now(app: Flask, beto: Program, place: Place) -> None:
    address = f"/companies/company_{place.company}"
    beto.get(address)
    execute(app, "UPDATE users SET must_change_password = TRUE")
    beto.get(address, 403)
    execute(app, "UPDATE users SET must_change_password = FALSE")
    execute(app, "DELETE FROM grants")
    beto.get(address, 404)
    assert beto.get("/companies")["items"] == []


def test_a_token_for_one_company_sees_no_other(program: Make, place: Place) -> None:
    ana = program("ana@exemplo.com.br", scopes=tuple(Scope), admin=True, only=(place.company,))
    assert [each["id"] for each in ana.get("/companies")["items"]] == [f"company_{place.company}"]
    ana.get(f"/companies/company_{place.other_company}", 404)
    ana.get(f"/webhooks/webhook_{place.other_webhook}", 404)
    ana.get(f"/webhooks/webhook_{place.webhook}")
    both = (place.company, place.other_company)
    beto = program("beto@exemplo.com.br", *both, only=(place.other_company,))
    for found in (beto.get("/companies")["items"], beto.get("/status")["companies"]):
        assert [each["id"] for each in found] == [f"company_{place.other_company}"]
    beto.get(f"/companies/company_{place.company}", 404)


def test_the_use_is_noted_once_a_minute(app: Flask, ana: Program) -> None:
    ana.get("/companies")
    (first,) = rows(app, "SELECT used_at FROM api_tokens")
    ana.get("/companies")
    assert rows(app, "SELECT used_at FROM api_tokens") == [first]
    execute(app, "UPDATE api_tokens SET used_at = used_at - 61000")
    ana.get("/companies")
    assert rows(app, "SELECT used_at FROM api_tokens")[0][0] > first[0] - 61000


def test_too_many_requests_are_refused_and_the_headers_say_what_is_left(
    app: Flask, ana: Program
) -> None:
    app.config["API_REQUESTS_PER_SECOND"] = 3
    # The window moves with the clock, so a second of it may end between two requests.
    answers = [ana.ask("GET", "/catalogue/nada") for _ in range(40)]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=1'
    assert answers[0].headers["RateLimit"].startswith('"token";r=2;')
    refused = [each for each in answers if each.status_code == 429]
    assert refused
    assert int(refused[0].headers["Retry-After"]) in (1, 2)
    assert refused[0].mimetype == "application/problem+json"
