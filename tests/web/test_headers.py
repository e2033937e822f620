"""What every answer tells the browser to refuse and to forget, static files included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import Headers

from tests.web.browser import Browser
from tests.web.conftest import Place
from tests.world import application
from webhookproxy.web.passwords import first_code

STATIC = ["app.css", "live.js", "theme.js", "icon.svg", "vendor/tabler-1.6.1.min.css"]
ADDRESSES = [
    "/",
    "/entrar",
    "/primeiro-acesso",
    "/conta",
    "/saude",
    "/nada",
    "/static/nada.css",
    *(f"/static/{name}" for name in STATIC),
]


@pytest.fixture
def secure(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application behind https."""
    public = {"PUBLIC_URL": "https://painel.exemplo.com.br", "ALLOW_PRIVATE_TARGETS": "0"}
    with application(sqlite_url, tmp_path, **public) as app:
        yield app


def check(headers: Headers, where: str, *, https: bool = False) -> None:
    policy = headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'self'", where
    assert rules["object-src"] == "'none'", where
    assert rules["base-uri"] == "'none'", where
    assert rules["frame-ancestors"] == "'none'", where
    assert rules["form-action"] == "'self'", where
    assert "script-src" not in rules, where
    assert "unsafe" not in policy, where
    assert headers["X-Content-Type-Options"] == "nosniff", where
    assert headers["X-Frame-Options"] == "DENY", where
    assert headers["Referrer-Policy"] == "same-origin", where
    assert ("Strict-Transport-Security" in headers) is https, where
    assert "Access-Control-Allow-Origin" not in headers, where
    assert "X-Powered-By" not in headers, where
    for name in headers.keys():  # noqa: SIM118 - Headers iterates over pairs
        assert len(headers.getlist(name)) == 1 or name in ("Vary", "Set-Cookie"), (where, name)


def walk(app: Flask, place: Place) -> Iterator[tuple[str, str]]:
    """Method and address of every route; ids of what is not there are as good as any."""
    ids = {"company_id": place.company, "webhook_id": place.webhook}
    urls = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.endpoint.endswith(".watch"):
            continue
        values = {name: ids.get(name, 1) for name in rule.arguments}
        for method in sorted((rule.methods or set()) & {"GET", "HEAD", "POST", "OPTIONS"}):
            yield method, urls.build(rule.endpoint, values)


def test_every_route_says_it_and_nothing_is_kept_of_a_session(
    app: Flask, ana: Browser, place: Place
) -> None:
    for method, address in walk(app, place):
        if address == "/sair":
            continue
        answer = ana.client.open(address, method=method)
        where = f"{method} {address} {answer.status_code}"
        check(answer.headers, where)
        if address != "/saude":
            assert answer.headers["Cache-Control"] == "no-store", where


def test_every_route_says_it_to_whoever_is_not_logged_in(
    app: Flask, nobody: Browser, place: Place
) -> None:
    for method, address in walk(app, place):
        answer = nobody.client.open(address, method=method)
        check(answer.headers, f"{method} {address} {answer.status_code}")
        assert "public" not in answer.headers.get("Cache-Control", "")


def test_a_live_page_says_it_too(ana: Browser, place: Place) -> None:
    for address in ("/ao-vivo", f"/empresas/company_{place.company}/ao-vivo"):
        answer = ana.client.get(address)
        check(answer.headers, address)
        assert answer.headers["Cache-Control"] == "no-store"
        answer.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_over_https_the_browser_is_told_to_stay_there(address: str, secure: Flask) -> None:
    answer = secure.test_client().get(address)
    check(answer.headers, address, https=True)
    answer.close()


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_https_there_is_no_word_of_it(address: str, app: Flask) -> None:
    answer = app.test_client().get(address)
    check(answer.headers, address)
    answer.close()


@pytest.mark.parametrize("name", STATIC)
def test_a_static_file_is_kept_and_has_its_own_kind(name: str, app: Flask) -> None:
    answer = app.test_client().get(f"/static/{name}")
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    kind = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.mimetype == kind[name.rsplit(".", 1)[1]]
    assert "Set-Cookie" not in answer.headers
    answer.close()


def first_user(app: Flask) -> str:
    """Create the first administrator; the cookie that comes back."""
    with app.app_context():
        code = first_code()
    word = "uma senha bem comprida"
    browser = Browser(app)
    if app.config["SESSION_COOKIE_SECURE"]:
        # So that the client sends the cookie back.
        browser.client.environ_base["wsgi.url_scheme"] = "https"
    token = browser.token()
    answer = browser.client.post(
        "/primeiro-acesso",
        data={
            "csrf_token": token,
            "code": code,
            "email": "ana@exemplo.com.br",
            "password": word,
            "repeated": word,
        },
        headers={"Sec-Fetch-Site": "same-origin", "Referer": "https://localhost/"},
    )
    assert answer.status_code == 303, answer.text[:3000]
    (cookie,) = answer.headers.getlist("Set-Cookie")
    return cookie


def test_the_cookie_of_a_plain_http_site_works_there(app: Flask) -> None:
    cookie = first_user(app)
    assert cookie.startswith("session=")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags
    assert "Secure" not in flags


def test_the_cookie_of_an_https_site_is_bound_to_host_and_https(secure: Flask) -> None:
    cookie = first_user(secure)
    assert cookie.startswith("__Host-session=")
    flags = {part.strip() for part in cookie.split(";")[1:]}
    # A __Host- name is refused by browsers unless all of this holds.
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= flags
    assert "Domain" not in cookie
    assert "remember_token" not in cookie
