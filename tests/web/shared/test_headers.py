"""The headers of every answer, for every visitor and every result."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.application import application, store_of
from tests.web.conftest import PASSWORD, Place
from tests.web.support.addresses import is_of_api
from tests.web.support.browser import Browser
from webhookproxy.models.accounts.people import create_user

# The addresses of these pages are secrets.
SECRET = ("/convidado/", "/senha/", "/avisos/confirmar/", "/gravacao/")


def check(answer: TestResponse) -> None:
    # A file that is sent while it is read keeps its request until it ends.
    answer.close()
    policy = answer.headers["Content-Security-Policy"]
    for rule in (
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert rule in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    path, found = f"{answer.request.path}/", answer.status_code != 405
    secret = found and path.startswith(SECRET)
    assert answer.headers["Referrer-Policy"] == ("no-referrer" if secret else "same-origin")


def addresses(app: Flask, place: Place) -> list[str]:
    """Return every address for GET, with ids that exist and ids that do not."""
    ids = {"company_id": place.company, "webhook_id": place.webhook}
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        return [
            urls.build(rule.endpoint, {name: ids.get(name, 1) for name in rule.arguments})
            for rule in app.url_map.iter_rules()
            if "GET" in (rule.methods or ())
            and rule.endpoint != "static"
            and not rule.endpoint.endswith(".watch")
            and not is_of_api(rule)
        ]


def test_every_answer_carries_the_headers(
    app: Flask, place: Place, ana: Browser, visitor: Browser
) -> None:
    for address in addresses(app, place):
        check(visitor.client.get(address))
        answer = ana.client.get(address)
        check(answer)
        if address != "/saude":
            assert answer.headers["Cache-Control"] == "no-store", address
        check(ana.client.post(address))
    check(ana.get("/nada", 404))


def test_static_files_are_kept_for_a_year_and_not_guessed_at(visitor: Browser) -> None:
    answer = visitor.client.get("/static/app.css")
    answer.close()
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/static/../config.py", "/static/%2e%2e/config.py", "/static/"])
def test_only_static_files_are_static(path: str, visitor: Browser) -> None:
    assert visitor.client.get(path).status_code == 404


@pytest.mark.parametrize("public", ["http://relay.example.com", "https://relay.example.com"])
def test_the_cookie_and_hsts_go_by_the_public_address(
    public: str, sqlite_url: str, tmp_path: Path, password_hash: str
) -> None:
    https = public.startswith("https")
    overrides = {"PUBLIC_URL": public}
    if https:
        overrides["ALLOW_PRIVATE_TARGETS"] = "0"
    with application(sqlite_url, tmp_path, **overrides) as app:
        store_of(app).session(
            lambda s: create_user(s, "ana@exemplo.com.br", password_hash, admin=True).id
        )
        client = app.test_client()
        page = client.get("/entrar", base_url=public)
        token = page.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        fields = {"email": "ana@exemplo.com.br", "password": PASSWORD, "csrf_token": token}
        referrer = {"Referer": f"{public}/entrar"}
        answer = client.post("/entrar", base_url=public, data=fields, headers=referrer)
        assert answer.status_code == 303
        hsts = answer.headers.get("Strict-Transport-Security")
        static = client.get("/static/app.css", base_url=public)
        static.close()
        assert static.headers.get("Strict-Transport-Security") == hsts
        cookie = answer.headers["Set-Cookie"]
    assert (hsts == "max-age=31536000; includeSubDomains") is https
    assert cookie.startswith("__Host-session=" if https else "session=")
    assert ("Secure" in cookie) is https
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_only_hosts_of_ours_are_served(sqlite_url: str, tmp_path: Path) -> None:
    with application(sqlite_url, tmp_path, PUBLIC_URL="http://relay.example.com") as app:
        client = app.test_client()
        assert client.get("/entrar", base_url="http://relay.example.com").status_code != 400
        answer = client.get("/entrar", base_url="http://evil.com")
        assert answer.status_code == 400
        assert "evil.com" not in answer.text


@pytest.mark.parametrize("address", ["/entrar", "/entrar/codigo", "/primeiro-acesso", "/nada"])
def test_no_cache_keeps_what_a_visitor_saw(visitor: Browser, address: str) -> None:
    assert visitor.client.get(address).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["SEC.example", "sec.example.", "Sec.Example.:5000"])
def test_a_name_is_the_same_host_in_every_spelling(
    sqlite_url: str, tmp_path: Path, host: str
) -> None:
    with application(sqlite_url, tmp_path, TRUSTED_HOSTS="sec.example") as app:
        client = app.test_client()
        assert client.get("/entrar", headers={"Host": host}).status_code != 400
        assert client.get("/entrar", headers={"Host": f"x{host}"}).status_code == 400
