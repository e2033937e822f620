"""Live pages of a process that does not own the sockets, on PostgreSQL."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.database.test_notices import quick_turns, telling
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import connection, owner
from tests.web.support.streams import open_page
from webhookproxy.broadcast import Broadcast
from webhookproxy.web.shared import live

__all__ = ["quick_turns"]

pytestmark = pytest.mark.postgresql


@pytest.fixture
def app(postgresql_app: Flask) -> Flask:
    """The application of the process that waits."""
    # However slow the machine is, the owner counts as living.
    owner(postgresql_app, age_ms=-600_000)
    return postgresql_app


def test_a_page_shows_at_once_what_the_owner_told_in_its_own_process(
    app: Flask, postgresql_url: str, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So it is not seen by looking.
    monkeypatch.setattr(live, "LOOK_SECONDS", 600.0)
    monkeypatch.setattr(live, "LOOK_SECONDS_ELSEWHERE", 600.0)
    there = Broadcast()
    with (
        telling(postgresql_url, app.extensions["broadcast"]),
        telling(postgresql_url, there),
        open_page(beto, f"/empresas/company_{place.company}/ao-vivo") as stream,
    ):
        connection(app, place.company, "connected", "accepted")
        there.tell(place.company)
        said = stream.until("part", "conexao")[-1]
    assert said is not None
    assert "Conectada" in said[1]["html"]


def test_a_page_looks_by_itself_while_its_process_is_told_nothing(
    app: Flask, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 600.0)
    monkeypatch.setattr(live, "LOOK_SECONDS_ELSEWHERE", 0.2)
    with open_page(beto, f"/empresas/company_{place.company}/ao-vivo") as stream:
        connection(app, place.company, "connected", "accepted")
        said = stream.until("part", "conexao")[-1]
    assert said is not None
    assert "Conectada" in said[1]["html"]
