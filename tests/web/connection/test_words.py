"""What is said of a connection: state, since when, why, what next, what to do; green only if so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, TypeAlias

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import FENCE, owner
from webhookproxy.models import Company
from webhookproxy.reasons import CONNECTION_WORDS, ConnectionReason, ConnectionState

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
    R.REFUSED_FOR_NOW,
    R.SERVER_REFUSED,
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


def test_an_attempt_that_is_due_is_made_now(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    wrote(app, place, S.RECONNECTING, R.KICKED, next_attempt_at=minutes_ago(1))
    assert "Tentamos reconectar agora" in panel(beto, place)
