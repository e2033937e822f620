"""What is said of a connection: state, since when, why, what next, what to do; green only if so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import product
from typing import Any, TypeAlias

import pytest
from flask import Flask
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.web.browser import Browser
from tests.web.conftest import Place
from tests.world import rows, store_of
from webhookproxy.models import Company, HourlyEvents
from webhookproxy.reasons import CONNECTION_WORDS, ConnectionReason, ConnectionState
from webhookproxy.web.figures import this_hour

FENCE = 7
S: TypeAlias = ConnectionState
R: TypeAlias = ConnectionReason
# By state: label, drawing and colour as a person sees them.
LOOKS = {
    S.DISCONNECTED: ("Desconectada", "grey", False),
    S.CONNECTING: ("Conectando…", "blue", True),
    S.CONNECTED: ("Conectada, nenhum evento ainda", "green", False),
    S.DISCONNECTING: ("Desconectando…", "grey", True),
    S.RECONNECTING: ("Reconectando", "amber", False),
    S.TOKEN_REFUSED: ("Token recusado", "red", False),
}
LOST = (
    R.NAME_NOT_RESOLVED,
    R.ADDRESS_NOT_ALLOWED,
    R.CONNECTION_FAILED,
    R.TLS_FAILED,
    R.HANDSHAKE_FAILED,
    R.HANDSHAKE_TIMEOUT,
    R.KICKED,
    R.DROPPED,
    R.SILENT,
    R.DEAF,
    R.TOKEN_CHANGED,
    R.OWNER_GONE,
)
# What an owner writes: state, reason, and whether a connection is wished then.
WRITTEN = [
    (S.DISCONNECTED, R.NOT_WISHED, False),
    (S.CONNECTING, R.WISHED, True),
    (S.CONNECTING, R.TOKEN_CHANGED, True),
    (S.CONNECTED, R.ACCEPTED, True),
    (S.DISCONNECTING, R.UNWISHED, False),
    (S.TOKEN_REFUSED, R.REFUSED, True),
    *((S.RECONNECTING, reason, True) for reason in LOST),
]


def execute(app: Flask, statement: str, **values: Any) -> None:
    def job(connection: DatabaseConnection) -> None:
        connection.execute(text(statement), values)

    store_of(app).run(job)


def owner(app: Flask, age_ms: int = 0, fence: int = FENCE) -> None:
    """The owner of the sockets said so long ago that it lives."""
    execute(app, "DELETE FROM leases")
    execute(
        app,
        "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id, last_delivery_id)"
        " VALUES (0, :fence, 'host:1',"
        " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - :age, 0, 0)",
        age=age_ms,
        fence=fence,
    )


def wrote(
    app: Flask, place: Place, state: S, reason: R, *, wished: bool = True, **fields: Any
) -> None:
    """An owner wrote this of the company's connection."""

    def job(session: Session) -> None:
        company = session.get_one(Company, place.company)
        company.should_connect = wished
        given = {"fence": FENCE, "state": state.value, "reason": reason.value, **fields}
        for name, value in given.items():
            setattr(company.connection, name, value)

    store_of(app).session(job)


def minutes_ago(count: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=count)


def panel(browser: Browser, place: Place) -> str:
    """The connection's part of the company's page."""
    page = browser.get(f"/empresas/company_{place.company}").text
    return unescape(page[page.index('id="conexao"') : page.index('id="titulo-webhooks"')])


def badge(part: str) -> tuple[str, str, bool]:
    """Label, colour and whether it turns; there must be a drawing, too."""
    found = re.search(
        r'<span class="state is-(\w+)( spins)?">\s*<svg.*?</svg>\s*<span>(.*?)</span>', part, re.S
    )
    assert found, part
    return found[3], found[1], found[2] is not None


@pytest.mark.parametrize(("state", "reason", "wished"), WRITTEN)
def test_a_state_is_shown_with_since_when_why_what_next_and_what_to_do(
    state: S, reason: R, wished: bool, app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    since = datetime.now(UTC) - timedelta(minutes=12, seconds=5)
    upcoming = datetime.now(UTC) + timedelta(minutes=3, seconds=30)
    wrote(app, place, state, reason, wished=wished, since=since, next_attempt_at=upcoming)
    part = panel(beto, place)
    assert badge(part) == LOOKS[state]
    assert "(há 12 min)" in re.sub(r"<.*?>", "", part)
    words = CONNECTION_WORDS[reason].filled(when="em 3 min", since="?")
    for sentence in (words.what, words.then, words.you):
        assert all(piece in part for piece in sentence.split("?"))
    assert ("Desconectar</button>" in part) is wished
    assert ("Conectar</button>" in part.replace("Desconectar", "")) is not wished


def test_every_reason_is_shown_somewhere() -> None:
    assert {reason for _, reason, _ in WRITTEN} == set(R)


def test_every_state_looks_unlike_every_other() -> None:
    assert len(set(LOOKS.values())) == len(S)


@pytest.mark.parametrize(("state", "wished"), list(product(S, (True, False))))
@pytest.mark.parametrize(("age_ms", "fence"), [(10_500, FENCE), (0, FENCE + 1), (0, FENCE - 1)])
def test_nothing_is_green_on_an_old_heartbeat_or_anothers_word(
    state: S, wished: bool, age_ms: int, fence: int, app: Flask, beto: Browser, place: Place
) -> None:
    owner(app, age_ms, fence)
    wrote(app, place, state, R.ACCEPTED, wished=wished)
    part = panel(beto, place)
    assert badge(part)[1] != "green"
    assert badge(part)[0].startswith("Conectando" if wished else "Desconectada")
    assert "is-green" not in beto.get("/empresas").text
    assert "1<small> de" not in beto.get("/").text


def test_nothing_is_green_without_any_owner(app: Flask, beto: Browser, place: Place) -> None:
    wrote(app, place, S.CONNECTED, R.ACCEPTED)
    assert badge(panel(beto, place)) == ("Conectando…", "blue", True)
    assert "Nosso serviço está reiniciando." in panel(beto, place)
    assert "Nenhum processo está conectado à 3C Plus." in beto.get("/").text


def test_a_socket_of_a_former_owner_is_not_shown(app: Flask, beto: Browser, place: Place) -> None:
    wrote(app, place, S.CONNECTED, R.ACCEPTED, socket_id="abcDEF123")
    owner(app, fence=FENCE + 1)
    assert "abcDEF123" not in panel(beto, place)
    owner(app)
    assert "abcDEF123" in panel(beto, place)


def test_a_click_is_seen_before_the_owner_follows_it(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    wrote(app, place, S.DISCONNECTED, R.NOT_WISHED, wished=False)
    address = f"/empresas/company_{place.company}"
    assert beto.post(f"{address}/conectar").location == address
    assert badge(panel(beto, place)) == ("Conectando…", "blue", True)
    wrote(app, place, S.CONNECTED, R.ACCEPTED)
    assert beto.post(f"{address}/desconectar").location == address
    assert badge(panel(beto, place)) == ("Desconectando…", "grey", True)


def test_a_second_click_changes_nothing(app: Flask, beto: Browser, place: Place) -> None:
    for _ in range(2):
        beto.post(f"/empresas/company_{place.company}/conectar")
    assert rows(app, "SELECT should_connect FROM companies WHERE id = :id", id=place.company) == [
        (True,)
    ]
    assert len(rows(app, "SELECT 1 FROM audit WHERE action LIKE '%connect%'")) == 1


def test_an_attempt_that_is_due_is_made_now(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    wrote(app, place, S.RECONNECTING, R.KICKED, next_attempt_at=minutes_ago(1))
    assert "Tentamos reconectar agora" in panel(beto, place)


def test_connected_says_whether_an_event_came_since(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    wrote(app, place, S.CONNECTED, R.ACCEPTED, since=minutes_ago(2))
    assert badge(panel(beto, place))[0] == "Conectada, nenhum evento ainda"
    wrote(app, place, S.CONNECTED, R.ACCEPTED, since=minutes_ago(2), last_event_at=minutes_ago(5))
    assert badge(panel(beto, place))[0] == "Conectada, nenhum evento ainda"
    wrote(app, place, S.CONNECTED, R.ACCEPTED, since=minutes_ago(2), last_event_at=minutes_ago(1))
    assert badge(panel(beto, place)) == ("Conectada", "green", False)


def busy_yesterday(app: Flask, place: Place) -> None:
    def job(session: Session) -> None:
        for hour in range(this_hour() - 25, this_hour() - 22):
            session.add(
                HourlyEvents(company_id=place.company, hour=hour, name="agent-is-idle", count=9)
            )

    store_of(app).session(job)


@pytest.mark.parametrize(
    ("since", "heard", "events", "busy", "silent"),
    [
        # One that never had an event: an hour is odd.
        (61, None, 0, False, True),
        (59, None, 0, False, False),
        # One that has events at this hour on other days.
        (600, 61, 5, True, True),
        (600, 59, 5, True, False),
        # One that has none at this hour on other days, as at night.
        (600, 61, 5, False, False),
        # The silence counts from when the socket opened.
        (10, 300, 5, True, False),
    ],
)
def test_silence_is_pointed_at_when_it_is_odd(
    since: int,
    heard: int | None,
    events: int,
    busy: bool,
    silent: bool,
    app: Flask,
    beto: Browser,
    place: Place,
) -> None:
    owner(app)
    if busy:
        busy_yesterday(app, place)
    last = None if heard is None else minutes_ago(heard)
    wrote(
        app,
        place,
        S.CONNECTED,
        R.ACCEPTED,
        since=minutes_ago(since),
        last_event_at=last,
        events=events,
    )
    said = "Nenhum evento há mais de uma hora"
    assert (said in panel(beto, place)) is silent
    assert ("Conectada, mas sem eventos" in beto.get("/").text) is silent


def test_what_is_not_connected_is_not_called_silent(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    wrote(app, place, S.RECONNECTING, R.KICKED, since=minutes_ago(300))
    assert "mais de uma hora" not in panel(beto, place)
