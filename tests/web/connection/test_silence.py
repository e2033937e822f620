"""Odd silence on the pages: where it is seen, that it comes by itself, and what it costs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import joinedload
from time_machine import Traveller

from tests.support.application import TOKEN, make_company
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import (
    FENCE,
    FakeEngine,
    connection,
    counted,
    execute,
    owner,
    usually,
)
from tests.web.support.streams import open_page
from webhookproxy.database.fence import ALL_SHARDS
from webhookproxy.engine.owners import Owner, Owners
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.web.connection.silence import Silence, odd

MINUTE_MS = 60_000
OWNERS = Owners(dict.fromkeys(ALL_SHARDS, Owner(FENCE, "host:1", None, 0, None)))


@pytest.fixture
def either(any_app: Flask) -> Flask:
    """An application on each kind of database."""
    return any_app


def silent(app: Flask, company: int, minutes: float, **facts: Any) -> None:
    """Store a connected company whose last event came `minutes` ago."""
    heard = int(time.time() * 1000) - round(minutes * MINUTE_MS)
    usual = {"state": "connected", "reason": "accepted", "since": heard - 1}
    connection(app, company, **{**usual, "last_event_at": heard, "events": 5, **facts})


def found() -> dict[int, Silence]:
    """What a page finds among all companies."""
    query = select(Company).options(joinedload(Company.connection))
    return odd(db.session(), list(db.session.scalars(query)), OWNERS)


def test_what_is_usual_is_read_from_the_counters_of_eight_weeks(either: Flask) -> None:
    company = make_company(either)
    usually(either, company, 2400)
    silent(either, company, 12)
    with either.app_context():
        (silence,) = found().values()
    assert silence.usual == 2400
    assert silence.words.what == (
        "Conectada, mas nenhum evento há 12 min (normal a esta hora: 40/min)."
    )


def test_less_than_one_a_minute_is_said_by_the_hour(either: Flask) -> None:
    company = make_company(either)
    usually(either, company, 50)
    silent(either, company, 5 * 60)
    with either.app_context():
        (silence,) = found().values()
    assert "(normal a esta hora: 50 eventos por hora)" in silence.words.what


@pytest.mark.parametrize(
    ("weeks", "minutes", "facts"),
    [
        (1, 30, {}),
        (8, 9, {}),
        # It was connected five minutes ago.
        (8, 30, {"since": "now"}),
        (8, 30, {"state": "reconnecting", "reason": "dropped"}),
        (8, 30, {"fence": FENCE - 1}),
    ],
)
def test_nothing_is_odd(either: Flask, weeks: int, minutes: float, facts: dict[str, Any]) -> None:
    company = make_company(either)
    usually(either, company, 2400, weeks)
    since = {"since": int(time.time() * 1000) - 5 * MINUTE_MS} if "since" in facts else {}
    silent(either, company, minutes, **{**facts, **since})
    with either.app_context():
        assert not found()


def test_a_connection_that_never_brought_an_event_is_odd_since_it_was_made(either: Flask) -> None:
    company = make_company(either)
    usually(either, company, 2400)
    since = int(time.time() * 1000) - 20 * MINUTE_MS
    silent(either, company, 0, since=since, last_event_at=None)
    with either.app_context():
        (silence,) = found().values()
    assert silence.since.timestamp() == since / 1000


def test_each_company_is_judged_by_its_own_counters(either: Flask) -> None:
    busy, idle = make_company(either), make_company(either, token=TOKEN + "-2")
    usually(either, busy, 2400)
    for company in (busy, idle):
        silent(either, company, 30)
    with either.app_context():
        assert set(found()) == {busy}


def test_a_second_look_in_the_same_hour_asks_nothing_of_the_counters(
    app: Flask, clock: Traveller
) -> None:
    """So that 200 companies cost nothing at each redraw of each live page."""
    companies = [make_company(app, token=f"{TOKEN}-{number}") for number in range(20)]
    clock.move_to("2026-11-25T13:20:00Z")
    for number, company in enumerate(companies):
        usually(app, company, 2400)
        silent(app, company, number)
    asked: list[str] = []
    with app.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda *given: asked.append(given[2]) if "hourly_events" in given[2] else None,
        )
        assert len(found()) == 10
        # The weeks, and this hour of them. No more: every company had an event this hour.
        assert len(asked) == 2
        clock.shift(60)
        assert len(found()) == 11
        assert len(asked) == 4
        clock.shift(9 * 60)
        found()
        asked.clear()
        clock.shift(60)
        found()
        assert not asked


def test_another_timezone_is_another_usual(app: Flask, clock: Traveller) -> None:
    """New York's clock was another one until three weeks ago, São Paulo's never is."""
    clock.move_to("2026-11-25T12:30:00Z")
    company = make_company(app, timezone="America/New_York")
    now = int(time.time()) // 3600
    # At this hour in UTC, and never an hour earlier or later.
    counted(app, company, {now - 168 * week: 2400 for week in (3, 4, 5, 6, 7, 8)})
    silent(app, company, 20, since=now * 3_600_000 + 1, last_event_at=None)
    with app.app_context():
        assert not found()
        execute(app, "UPDATE companies SET timezone = 'America/Sao_Paulo'")
        db.session.rollback()
        assert found()


def test_an_odd_silence_is_said_on_every_page_of_the_company(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    usually(app, place.company, 2400)
    silent(app, place.company, 12)
    page = f"/empresas/company_{place.company}"
    for address in ("/", page):
        assert "nenhum evento há 12 min (normal a esta hora: 40/min)" in beto.get(address).text
    for address in ("/", "/empresas", page):
        assert "Conectada, mas sem eventos" in beto.get(address).text, address
    # It is connected all the same.
    assert ">1<small> de 1</small>" in beto.get("/").text
    assert "1 ponto precisa de atenção" in beto.get("/").text


def test_silence_comes_to_an_open_page_without_anything_happening(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    app.extensions["engine"] = FakeEngine()
    usually(app, place.company, 2400)
    silent(app, place.company, 10 - 1 / 60)
    with open_page(beto, f"/empresas/company_{place.company}/ao-vivo") as stream:
        said = stream.until("part", "conexao")[-1]
    assert said is not None
    assert "mas nenhum evento há 10 min" in said[1]["html"]


def test_counters_of_other_hours_say_nothing_of_this_one(app: Flask, place: Place) -> None:
    now = int(time.time()) // 3600
    counted(app, place.company, {now - 168 * week - 5: 2400 for week in range(1, 9)})
    silent(app, place.company, 30)
    with app.app_context():
        assert not found()
