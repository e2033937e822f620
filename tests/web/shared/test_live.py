"""Pages that change by themselves: what arrives, when it ends, and what it holds meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gevent
import pytest
from flask import Flask, render_template
from sqlalchemy import QueuePool
from sqlalchemy.orm import Session

from tests.support.application import rows, store_of
from tests.web.conftest import PASSWORD, Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import FakeEngine, connection, execute, owner
from tests.web.support.streams import Stream, open_page
from webhookproxy.broadcast import LISTENERS_MAX, Broadcast
from webhookproxy.extensions import db
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.web.shared import live


@pytest.fixture
def address(app: Flask, place: Place) -> str:
    """The stream of Beto's company, whose process owns the sockets."""
    owner(app)
    app.extensions["engine"] = FakeEngine()
    return f"/empresas/company_{place.company}/ao-vivo"


def broadcast_of(app: Flask) -> Broadcast:
    broadcast: Broadcast = app.extensions["broadcast"]
    return broadcast


def test_every_part_comes_first_and_then_only_what_changed_as_soon_as_it_is_told(
    app: Flask, beto: Browser, place: Place, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 60.0)
    stream = Stream(beto, address)
    # Left open by a failure, it would break the tests after this one.
    with closing(stream.answer):
        first = [each for each in stream.until("beat") if each is not None]
        parts = {data["id"] for name, data in first if name == "part"}
        assert parts == {"aviso", "conexao", "dia", "webhooks", "quedas", "lacunas", "chegadas"}
        connection(app, place.company, "connected", "accepted")
        broadcast_of(app).tell(place.company)
        said = stream.next()
        assert said is not None
        assert said[1]["id"] == "conexao"
        assert "Conectada" in said[1]["html"]
        others = [each[1]["id"] for each in stream.until("beat") if each and each[0] == "part"]
        # Where there are no events, there is a word on whether any can come.
        assert others == ["dia", "lacunas", "chegadas"]


def test_green_goes_with_the_heartbeat_though_nobody_tells(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    connection(app, place.company, "connected", "accepted")
    with open_page(beto, address) as stream:
        execute(app, "UPDATE leases SET heartbeat_at = heartbeat_at - 20000")
        said = stream.until("part", "conexao")[-1]
        assert said is not None
        assert "is-green" not in said[1]["html"]


def test_the_stream_ends_with_the_login(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    with open_page(beto, address) as stream:
        execute(app, "DELETE FROM sign_ins")
        broadcast_of(app).tell(place.company)
        assert stream.until("over")[-1] == ("over", {})
        assert stream.next() is None


def test_the_stream_ends_when_the_right_to_see_it_does(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    with open_page(beto, address) as stream:
        execute(app, "DELETE FROM grants")
        broadcast_of(app).tell(place.company)
        assert stream.until("over")[-1] == ("over", {})


def test_an_administrator_who_becomes_an_operator_sees_no_more(
    app: Flask, ana: Browser, place: Place, address: str
) -> None:
    with open_page(ana, address) as stream:
        execute(app, "UPDATE users SET is_admin = :no", no=False)
        broadcast_of(app).tell(place.company)
        assert stream.until("over")[-1] == ("over", {})


@pytest.mark.parametrize("page", ["/empresas/company_{company}", "/webhooks/webhook_{webhook}"])
def test_the_stream_of_what_is_deleted_ends(
    page: str, app: Flask, ana: Browser, place: Place
) -> None:
    def job(session: Session) -> None:
        delete_company(session, find_company(session, place.company))

    shown = page.format(company=place.company, webhook=place.webhook)
    owner(app)
    with open_page(ana, f"{shown}/ao-vivo") as stream:
        store_of(app).session(job)
        broadcast_of(app).tell(place.company)
        assert stream.until("over")[-1] == ("over", {})


def test_every_stream_ends_when_the_server_stops(app: Flask, beto: Browser, address: str) -> None:
    with open_page(beto, address) as stream:
        gevent.spawn(broadcast_of(app).close)
        assert [each for each in stream.until("never") if each and each[0] == "over"] == []
    assert beto.client.get(address).status_code == 503


def test_beyond_the_bound_a_stream_is_refused_and_a_closed_one_makes_room(
    app: Flask, beto: Browser, address: str
) -> None:
    broadcast = broadcast_of(app)
    with open_page(beto, address):
        others = [broadcast.listen(None, str(each)) for each in range(LISTENERS_MAX - 1)]
        for each in others:
            each.__enter__()
        assert beto.client.get(address).status_code == 503
        beto.get(address.removesuffix("/ao-vivo"))
    assert not broadcast.full


def test_between_two_looks_a_stream_holds_no_connection_to_the_database(
    app: Flask, beto: Browser, address: str
) -> None:
    with app.app_context():
        pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    with open_page(beto, address):
        assert pool.checkedout() == 0


def test_proxies_and_caches_leave_the_stream_alone(beto: Browser, address: str) -> None:
    with open_page(beto, address) as stream:
        assert stream.answer.headers["X-Accel-Buffering"] == "no"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        assert stream.answer.mimetype == "text/event-stream"
        assert "Content-Encoding" not in stream.answer.headers


def test_the_panel_shows_an_operator_their_companies_only(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    connection(app, place.other_company, "token_refused", "kicked")
    stream = Stream(beto, "/ao-vivo")
    with closing(stream.answer):
        drawn = str(stream.until("beat"))
    assert "Outra Empresa" not in drawn
    assert address


def test_a_stream_that_asks_after_the_login_is_over_is_not_where_one_goes_next(
    app: Flask, place: Place, address: str, log_in: Callable[..., Browser]
) -> None:
    browser = log_in("eva@exemplo.com.br", place.company)
    execute(app, "DELETE FROM sign_ins")
    page = address.removesuffix("/ao-vivo")
    browser.get(page, 303)
    browser.get(address, 303, headers={"Accept": "text/event-stream"})
    answer = browser.post("/entrar", email="eva@exemplo.com.br", password=PASSWORD)
    assert answer.location == page


def test_equal_pages_of_one_login_are_drawn_once(
    beto: Browser, ana: Browser, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def render(path: str, **facts: Any) -> str:
        drawn.append(path)
        return str(render_template(path, **facts))

    monkeypatch.setattr(live, "render_template", render)
    monkeypatch.setattr(live, "DRAW_SECONDS", 60)
    with open_page(beto, address):
        once = len(drawn)
        with open_page(beto, address):
            assert len(drawn) == once > 0
    with open_page(ana, address):
        assert len(drawn) == 2 * once


def test_an_open_page_does_not_keep_a_login_that_no_one_uses(
    app: Flask, beto: Browser, address: str
) -> None:
    old = round(time.time() * 1000) - 3_600_000
    execute(app, "UPDATE sign_ins SET seen_at = :old", old=old)
    seen = "SELECT seen_at FROM sign_ins"
    headers = {"Accept": "text/event-stream"}
    with closing(beto.client.get(address, headers=headers, buffered=False)) as answer:
        assert answer.status_code == 200
    assert rows(app, seen)[0][0] == old
    beto.get("/")
    assert rows(app, seen)[0][0] > old
