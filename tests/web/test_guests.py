"""A guest's link shows the state of one company, nothing else, and dies when it should."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta

import pytest
from flask import Flask
from time_machine import Traveller

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.addresses import methods
from tests.web.support.browser import Browser
from tests.web.support.sockets import FakeEngine, connection, execute, owner
from tests.web.support.streams import Stream, open_page
from webhookproxy.broadcast import LISTENERS_MAX
from webhookproxy.models.accounts.guest_links import DAYS_MAX, LINKS_MAX
from webhookproxy.models.companies import delete_company, find_company

# What a page of a guest may lead to.
OWN = {
    *("/convidado", "/convidado/mes", "/convidado/sair", "/convidado/ao-vivo"),
    *("/tema", "#conteudo", ""),
}


def make(ana: Browser, place: Place, **changed: str) -> str:
    """Return the path of a new link to Beto's company."""
    address = f"/empresas/company_{place.company}/convidados"
    fields = {**ana.fields(address), "name": "gerente da Televendas", **changed}
    page = ana.send(address, fields, 200).text
    found = re.search(r'id="convite"[^>]*>http://[^/]*(/convidado/[\w-]{22})<', page)
    assert found, page
    return found[1]


@pytest.fixture
def link(ana: Browser, place: Place) -> str:
    """The path of a valid link."""
    return make(ana, place)


@pytest.fixture
def guest(app: Flask, link: str) -> Browser:
    """A browser that opened the link with its button."""
    browser = Browser(app)
    assert browser.post(link).location == "/convidado"
    return browser


def uses(app: Flask) -> list[tuple[str, str]]:
    query = "SELECT who, detail FROM audit WHERE action = 'guest_link_used' ORDER BY id"
    return [tuple(row) for row in rows(app, query)]


def test_a_preview_of_the_link_opens_nothing(app: Flask, link: str, visitor: Browser) -> None:
    answer = visitor.get(link)
    assert "Televendas" not in answer.text
    assert visitor.client.get_cookie("guest", path="/convidado") is None
    visitor.get("/convidado", 404)
    assert uses(app) == []


def test_a_guest_sees_the_connection_the_gaps_the_webhooks_and_the_month(
    app: Flask, guest: Browser, place: Place
) -> None:
    execute(app, "UPDATE webhooks SET name = 'CRM de vendas'")
    execute(
        app,
        "INSERT INTO hourly_deliveries (webhook_id, hour, outcome, bucket, count) SELECT id,"
        " CAST(strftime('%s', 'now') AS INTEGER) / 3600, 'delivered', 5, 7 FROM webhooks",
    )
    page = guest.get("/convidado").text
    for said in (
        *(
            "Televendas Guarapuava",
            "Ainda não conectada",
            "CRM de vendas",
            "100% entregues em 24 h",
        ),
        *("7 entregues", "Lacunas nas últimas 24 horas"),
    ):
        assert said in page, said
    assert "Outra Empresa" not in page
    assert "Entregas por webhook" in guest.get("/convidado/mes").text
    assert place.company == 1


def test_a_guest_reads_no_address_no_event_and_no_secret(
    app: Flask, addresses: dict[str, str], guest: Browser
) -> None:
    """The event, its delivery and the company's month exist."""
    assert addresses
    execute(
        app,
        "INSERT INTO hourly_events (company_id, hour, name, count) VALUES"
        " (1, CAST(strftime('%s', 'now') AS INTEGER) / 3600, 'agent-is-idle', 3)",
    )
    execute(app, "UPDATE connections SET answer = 'canary answer', reason = 'refused'")
    for path in ("/convidado", "/convidado/mes"):
        page = guest.get(path).text
        assert "3 eventos recebidos" in page or path == "/convidado"
        for hidden in (
            *("127.0.0.1", "agent-is-idle", "evt_1", "company_1", "webhook_1", "delivery_1"),
            *("canary", "abcd", ".csv", 'name="busca"', "http://", "https://"),
        ):
            assert hidden not in page, (path, hidden)
        targets = re.findall(r'(?:href|action|data-live)="([^"]*)"', page)
        assert {each for each in targets if not each.startswith("/static/")} <= OWN


def test_a_guest_sees_the_outages_without_what_was_answered(
    app: Flask, guest: Browser, place: Place
) -> None:
    execute(
        app,
        "INSERT INTO outages (webhook_id, kind, reason, status, began_at, ended_at, first_id,"
        " waited, delivered, missed, calls, is_cut, settled_at) SELECT id, 'failing',"
        " 'failed_status', 503, 1000 * CAST(strftime('%s', 'now') AS INTEGER) - 5000,"
        " 1000 * CAST(strftime('%s', 'now') AS INTEGER), 1, 183, 183, 0, 41, FALSE, 1 FROM webhooks"
        f" WHERE company_id = {place.company}",
    )
    for path in ("/convidado", "/convidado/mes"):
        page = guest.get(path).text
        assert "183 eventos esperaram, 183 entregues, 0 perdidos, 41 ligações" in page
        # A form's token may have these three digits by chance.
        assert not re.search(r"\b503\b", page)
        assert "/webhooks/" not in page


@pytest.fixture
def running(app: Flask) -> None:
    """This process owns the sockets, so what it says of them is believed."""
    owner(app)
    app.extensions["engine"] = FakeEngine()


@pytest.mark.usefixtures("running")
def test_a_guests_page_is_live_and_says_no_more_than_the_page(
    app: Flask, addresses: dict[str, str], guest: Browser, place: Place
) -> None:
    assert addresses
    assert 'data-live="/convidado/ao-vivo"' in guest.get("/convidado").text
    used = uses(app)
    stream = Stream(guest, "/convidado/ao-vivo")
    with closing(stream.answer):
        first = [each for each in stream.until("beat") if each is not None]
        assert {data["id"] for name, data in first if name == "part"} == {"aviso", "situacao"}
        assert "noindex" in stream.answer.headers["X-Robots-Tag"]
        connection(app, place.company, "connected", "accepted")
        app.extensions["broadcast"].tell(place.company)
        said = stream.until("part", "situacao")[-1]
        assert said is not None
        assert "Conectada" in said[1]["html"]
        for hidden in ("127.0.0.1", "evt_1", "company_1", "webhook_1", "delivery_1", "href"):
            assert hidden not in said[1]["html"], hidden
    assert uses(app) == used


@pytest.mark.usefixtures("running")
def test_a_guests_live_page_ends_with_the_link_and_opens_for_no_one_else(
    app: Flask, ana: Browser, guest: Browser, visitor: Browser
) -> None:
    visitor.get("/convidado/ao-vivo", 404)
    ana.get("/convidado/ao-vivo", 404)
    with open_page(guest, "/convidado/ao-vivo") as stream:
        execute(app, "UPDATE guest_links SET revoked_at = created_at")
        said = stream.until("over")
        assert said[-1] is not None
    guest.get("/convidado/ao-vivo", 404)


def test_guests_leave_half_of_the_live_pages_to_the_users(
    app: Flask, beto: Browser, guest: Browser, place: Place
) -> None:
    with ExitStack() as stack:
        for number in range(LISTENERS_MAX // 2):
            stack.enter_context(app.extensions["broadcast"].listen(None, str(number)))
        guest.get("/convidado/ao-vivo", 503)
        with open_page(beto, f"/empresas/company_{place.company}/ao-vivo"):
            pass


def test_a_guest_has_no_other_address(
    app: Flask, addresses: dict[str, str], guest: Browser
) -> None:
    for endpoint, address in addresses.items():
        for method in methods(app, endpoint):
            answer = guest.client.open(address, method=method)
            assert (answer.status_code, answer.location) == (303, "/entrar"), (method, endpoint)


def test_a_user_who_opens_the_link_sees_what_the_guest_sees(
    ana: Browser, link: str, guest: Browser
) -> None:
    ana.post(link)
    page = ana.get("/convidado").text
    assert "Usuários" not in page
    assert page.count("<a ") == guest.get("/convidado").text.count("<a ")


def test_the_token_is_stored_as_a_hash_and_is_in_no_audit(
    app: Flask, guest: Browser, link: str
) -> None:
    token = link.rpartition("/")[2]
    guest.get("/convidado")
    for table in ("guest_links", "audit", "submissions"):
        assert token not in str(rows(app, f"SELECT * FROM {table}")), table


def test_the_link_is_shown_once(ana: Browser, place: Place, link: str) -> None:
    page = ana.get(f"/empresas/company_{place.company}/convidados").text
    assert "gerente da Televendas" in page
    assert link.rpartition("/")[2] not in page


def test_a_form_that_is_sent_twice_makes_one_link(app: Flask, ana: Browser, place: Place) -> None:
    address = f"/empresas/company_{place.company}/convidados"
    fields = {**ana.fields(address), "name": "gerente"}
    ana.send(address, fields, 200)
    assert "já tinha sido criado" in ana.send(address, fields, 200).text
    assert len(rows(app, "SELECT 1 FROM guest_links")) == 1


def test_the_pages_of_a_guest_go_into_no_search_engine_and_name_no_referrer(
    guest: Browser, link: str, visitor: Browser
) -> None:
    for answer in (
        *(guest.get("/convidado"), guest.get("/convidado/mes"), visitor.get(link)),
        *(visitor.get("/convidado", 404), visitor.post(f"{link}x", 404)),
    ):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert guest.get("/entrar").headers["Referrer-Policy"] == "same-origin"


def test_the_cookie_is_the_guests_own(app: Flask, guest: Browser, link: str) -> None:
    cookie = guest.client.get_cookie("guest", path="/convidado")
    assert cookie is not None
    assert link.rpartition("/")[2] not in cookie.value
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Lax", "/convidado")
    assert cookie.max_age is not None
    assert cookie.max_age <= 7 * 86_400
    guest.post("/convidado/sair")
    guest.get("/convidado", 404)
    Browser(app).post(link)


def test_each_use_is_in_the_audit_and_a_page_once_an_hour(
    clock: Traveller, app: Flask, ana: Browser, guest: Browser
) -> None:
    guest.get("/convidado")
    assert uses(app) == [("guest", "opened")]
    clock.shift(timedelta(minutes=61))
    guest.get("/convidado")
    guest.get("/convidado/mes")
    assert uses(app) == [("guest", "opened"), ("guest", "seen")]
    assert "Usou um link de convidado" in ana.get("/auditoria").text


def test_a_revoked_link_dies_at_once(
    app: Flask, ana: Browser, guest: Browser, link: str, beto: Browser
) -> None:
    beto.post("/convidados/guest_1/revogar", 403)
    guest.get("/convidado")
    ana.get("/convidados/guest_1/revogar")
    ana.post("/convidados/guest_1/revogar")
    assert "não vale mais" in guest.get("/convidado", 404).text
    guest.get("/convidado/mes", 404)
    Browser(app).post(link, 404)


def test_a_link_dies_when_its_days_are_over(
    clock: Traveller, app: Flask, ana: Browser, place: Place
) -> None:
    link, guest = make(ana, place, days=str(DAYS_MAX)), Browser(app)
    guest.post(link)
    clock.shift(timedelta(days=DAYS_MAX, seconds=-60))
    guest.get("/convidado")
    clock.shift(timedelta(seconds=61))
    guest.get("/convidado", 404)
    guest.post(link, 404)


def test_a_link_dies_with_its_company(app: Flask, guest: Browser, place: Place) -> None:
    store_of(app).session(lambda s: delete_company(s, find_company(s, place.company)))
    guest.get("/convidado", 404)


def test_no_link_is_valid_longer_and_no_company_has_endless_links(
    app: Flask, ana: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/convidados"
    fields = {**ana.fields(address), "name": "gerente"}
    ana.send(address, {**fields, "days": "31"}, 200)
    assert "Informe o nome" in ana.send(address, {**fields, "name": " "}, 200).text
    assert not rows(app, "SELECT 1 FROM guest_links")
    for number in range(LINKS_MAX):
        execute(
            app,
            "INSERT INTO guest_links (company_id, name, token_hash, created_at, expires_at)"
            " VALUES (:company, 'gerente', :hash, 0, 4000000000000)",
            company=place.company,
            hash=str(number),
        )
    said = ana.send(address, {**ana.fields(address), "name": "mais um"}, 200).text
    assert f"já tem {LINKS_MAX} links" in said


def test_links_that_ended_long_ago_are_forgotten(
    clock: Traveller, app: Flask, place: Place, log_in: Callable[..., Browser]
) -> None:
    make(log_in("ana@exemplo.com.br", admin=True), place, days="1")
    clock.shift(timedelta(days=2))
    eva = log_in("eva@exemplo.com.br", admin=True)
    make(eva, place)
    address = f"/empresas/company_{place.company}/convidados"
    assert "Venceu" in eva.get(address).text
    clock.shift(timedelta(days=30))
    make(log_in("rui@exemplo.com.br", admin=True), place)
    assert [row.id for row in rows(app, "SELECT id FROM guest_links")] == [2, 3]


def test_a_cookie_that_we_did_not_sign_opens_nothing(
    app: Flask, link: str, visitor: Browser
) -> None:
    ((hashed,),) = rows(app, "SELECT token_hash FROM guest_links")
    for value in ("", hashed, f"{hashed}.x", link.rpartition("/")[2]):
        visitor.client.set_cookie("guest", value, path="/convidado")
        visitor.get("/convidado", 404)


def test_guessing_is_throttled(visitor: Browser) -> None:
    for _ in range(20):
        visitor.post("/convidado/AAAAAAAAAAAAAAAAAAAAAA", 404)
    visitor.post("/convidado/AAAAAAAAAAAAAAAAAAAAAA", 429)


def test_only_who_may_edit_a_company_makes_links(
    beto: Browser, lena: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}"
    for browser in (beto, lena):
        browser.get(f"{address}/convidados", 403)
        browser.post(f"{address}/convidados", 403, name="eu", days="30")
        assert "/convidados" not in browser.get(address).text


def test_a_guest_who_is_a_reader_too_gets_in(lena: Browser, link: str) -> None:
    lena.post(link)
    lena.get("/convidado")
