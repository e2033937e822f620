"""A live page gets what changed, soon and once, for as long as its login and its rights last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import cast

import gevent
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.web.browser import Browser
from tests.web.conftest import Place
from tests.world import store_of
from webhookproxy.broadcast import LISTENERS_MAX, Broadcast
from webhookproxy.extensions import db
from webhookproxy.models import Company, User
from webhookproxy.models.companies import wish_connection
from webhookproxy.models.people import change_role, create_user, revoke
from webhookproxy.models.sign_ins import sign_out_everywhere
from webhookproxy.web import live

PARTS_OF_A_COMPANY = {"aviso", "conexao", "webhooks", "lacunas", "chegadas"}
# The tests replace these.
AS_THEY_ARE = (live.DRAW_SECONDS, live.LOOK_SECONDS, live.LOOK_SECONDS_ELSEWHERE)
PARTS_OF_THE_PANEL = {"aviso", "numeros", "problemas", "dia"}


class Stream:
    """What a browser's EventSource would get, block by block."""

    def __init__(self, browser: Browser, path: str) -> None:
        self.answer = browser.client.get(path)
        assert self.answer.status_code == 200, self.answer.text
        self._blocks: Iterator[bytes] = iter(self.answer.iter_encoded())

    def next(self) -> tuple[str, str]:
        """The next event and its data; fails if none comes, StopIteration at the end."""
        with gevent.Timeout(10):
            block = next(self._blocks).decode()
        assert block.endswith("\n\n")
        event, data = block.removesuffix("\n\n").split("\n")
        return event.removeprefix("event: "), data.removeprefix("data: ")

    def parts(self) -> dict[str, str]:
        """The parts up to the next beat."""
        found: dict[str, str] = {}
        while (block := self.next())[0] == "part":
            part = json.loads(block[1])
            found[part["id"]] = part["html"]
        assert block[0] == "beat"
        return found

    def close(self) -> None:
        """As when the page is left."""
        self.answer.close()


@pytest.fixture(autouse=True)
def only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look without being told; `often` undoes it."""
    monkeypatch.setattr(live, "DRAW_SECONDS", 0.01)
    monkeypatch.setattr(live, "LOOK_SECONDS_ELSEWHERE", 60)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again and again, and beat at every look."""
    monkeypatch.setattr(live, "LOOK_SECONDS_ELSEWHERE", 0.02)
    monkeypatch.setattr(live, "BEAT_SECONDS", 0)


@pytest.fixture
def watch() -> Iterator[Callable[[Browser, str], Stream]]:
    """Opens streams, and closes them after the test."""
    with ExitStack() as opened:
        yield lambda browser, path: opened.enter_context(closing(Stream(browser, path)))


def broadcast_of(app: Flask) -> Broadcast:
    return cast(Broadcast, app.extensions["broadcast"])


def of_company(place: Place) -> str:
    return f"/empresas/company_{place.company}/ao-vivo"


def change(app: Flask, job: Callable[[Session], object], company_id: int | None = None) -> None:
    def without_value(session: Session) -> None:
        job(session)

    store_of(app).session(without_value)
    if company_id is not None:
        broadcast_of(app).tell(company_id)


def user_of(session: Session, email: str) -> User:
    return session.query(User).filter_by(email=email).one()


def test_what_changes_is_shown_within_a_second() -> None:
    draw, look, look_elsewhere = AS_THEY_ARE
    assert draw < 1
    assert look_elsewhere < 1
    # Green must be gone soon after the owner's heartbeat is.
    assert look <= 2


def test_a_page_gets_all_its_parts_first_and_then_only_what_changed(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    assert set(stream.parts()) == PARTS_OF_A_COMPANY

    def connect(session: Session) -> None:
        wish_connection(session, session.get_one(Company, place.company), connected=True)

    change(app, connect, place.company)
    changed = stream.parts()
    # What is said where no event came yet depends on the wish, too.
    assert set(changed) == {"conexao", "chegadas"}
    assert "Conectando…" in changed["conexao"]


def test_the_panel_gets_its_parts(ana: Browser, watch: Callable[[Browser, str], Stream]) -> None:
    assert set(watch(ana, "/ao-vivo").parts()) == PARTS_OF_THE_PANEL


@pytest.mark.usefixtures("often")
def test_what_did_not_change_is_not_sent_again(
    beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    stream.parts()
    assert [stream.next()[0] for _ in range(5)] == ["beat"] * 5


@pytest.mark.usefixtures("often")
def test_what_another_process_changed_is_seen_without_being_told(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    stream.parts()
    change(
        app,
        lambda session: wish_connection(
            session, session.get_one(Company, place.company), connected=True
        ),
    )
    assert "Conectando…" in stream.parts()["conexao"]


def test_the_page_is_told_when_its_login_ends(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    stream.parts()

    def out(session: Session) -> None:
        sign_out_everywhere(session, user_of(session, "beto@exemplo.com.br").id)

    change(app, out, place.company)
    assert stream.next()[0] == "over"
    with pytest.raises(StopIteration):
        stream.next()


def test_the_stream_ends_when_the_server_stops(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    stream.parts()
    gevent.spawn(broadcast_of(app).close)
    with pytest.raises(StopIteration):
        stream.next()
    beto.get(of_company(place), 503)


def test_beyond_the_bound_there_is_no_stream_and_the_page_itself_still_opens(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    with ExitStack() as pages:
        for _ in range(LISTENERS_MAX):
            pages.enter_context(broadcast_of(app).listen(None))
        beto.get(of_company(place), 503)
        beto.get(f"/empresas/company_{place.company}")
    assert watch(beto, of_company(place)).parts()


def test_a_page_that_is_left_makes_room(app: Flask, beto: Browser, place: Place) -> None:
    for _ in range(LISTENERS_MAX + 1):
        with closing(Stream(beto, of_company(place))) as stream:
            assert stream.next()[0] == "part"
    assert not broadcast_of(app)._listeners


def test_between_two_looks_no_connection_to_the_database_is_held(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    streams = [watch(beto, of_company(place)) for _ in range(20)]
    for stream in streams:
        stream.parts()
    with app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.usefixtures("often")
def test_an_operator_whose_company_was_taken_away_gets_no_more_of_it(
    app: Flask, beto: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    stream = watch(beto, of_company(place))
    stream.parts()

    def take_away(session: Session) -> None:
        revoke(session, user_of(session, "beto@exemplo.com.br"), place.company)
        wish_connection(session, session.get_one(Company, place.company), connected=True)

    change(app, take_away, place.company)
    assert [stream.next()[0] for _ in range(5)] == ["beat"] * 5


@pytest.mark.usefixtures("often")
def test_an_administrator_who_is_one_no_longer_sees_no_company_in_an_open_page(
    app: Flask, ana: Browser, place: Place, watch: Callable[[Browser, str], Stream]
) -> None:
    panel, company = watch(ana, "/ao-vivo"), watch(ana, of_company(place))
    panel.parts()
    company.parts()

    def demote(session: Session) -> None:
        create_user(session, "eva@exemplo.com.br", "-", admin=True)
        change_role(session, user_of(session, "ana@exemplo.com.br"), admin=False)
        wish_connection(session, session.get_one(Company, place.company), connected=True)

    change(app, demote)
    assert "Peça a um administrador" in panel.parts()["problemas"]
    assert [company.next()[0] for _ in range(5)] == ["beat"] * 5


def test_nobody_keeps_a_copy_of_a_stream(beto: Browser, place: Place) -> None:
    with closing(Stream(beto, of_company(place))) as stream:
        assert stream.answer.mimetype == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        assert stream.answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in stream.answer.headers
