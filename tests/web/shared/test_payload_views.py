"""The audit entries of users who opened an event's payload."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.models import payload_views as viewings
from webhookproxy.web.webhooks import shown_once

_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) VALUES (1, 'evt_1', :company, 'agent-is-idle',"
    " '{\"phone\": \"canary-phone\"}', 'agent:1', 'socket', 'abcd…wxyz', 1795600000000, 0)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (1, 1, :webhook, 'agent:1', 'queued', 'waiting_turn', 0, 0, 0)"
)
PAGE = "/entregas/delivery_1"


@pytest.fixture(autouse=True)
def delivery(app: Flask, place: Place) -> None:
    def job(connection: Any) -> None:
        connection.execute(text(_EVENT), {"company": place.company})
        connection.execute(text(_DELIVERY), {"webhook": place.webhook})

    store_of(app).run(job)


def viewed(app: Flask) -> list[Any]:
    query = "SELECT who, company_id, subject, detail FROM audit WHERE action = 'payload_viewed'"
    return rows(app, query + " ORDER BY id")


def test_it_is_written_once_for_each_person(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    for person in (ana, beto, ana):
        assert "canary-phone" in person.get(PAGE).text
    assert viewed(app) == [
        ("ana@exemplo.com.br", place.company, "delivery_1", ""),
        ("beto@exemplo.com.br", place.company, "delivery_1", ""),
    ]
    assert "Abriu o conteúdo de um evento" in ana.get("/auditoria").text


def test_after_an_hour_it_is_written_again(
    app: Flask, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana.get(PAGE)
    monkeypatch.setattr(viewings, "QUIET_SECONDS", 0.0)
    ana.get(PAGE)
    assert len(viewed(app)) == 2


def test_to_download_the_body_is_to_look_at_it(app: Flask, ana: Browser) -> None:
    ana.get(f"{PAGE}/corpo")
    assert len(viewed(app)) == 1


def test_whoever_may_not_see_it_has_not_seen_it(app: Flask, carla: Browser) -> None:
    carla.get(PAGE, 404)
    assert viewed(app) == []


def test_the_page_is_shown_while_nothing_can_be_written(
    app: Flask,
    ana: Browser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_job: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(store_of(app), "session", refuse)
        with caplog.at_level(logging.WARNING):
            ana.get(PAGE)
    assert "delivery_1, which the audit could not take" in caplog.text
    ana.get(PAGE)
    assert len(viewed(app)) == 1


def test_memory_of_it_is_bounded(app: Flask, ana: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewings, "REMEMBERED_MAX", 0)
    ana.get(PAGE)
    assert not app.extensions["payload_views"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_on_another_site_writes_nothing_in_a_users_name(
    app: Flask, ana: Browser, place: Place, site: str
) -> None:
    with ana.client.session_transaction() as session:
        shown_once.keep(session["_user_id"], place.webhook, "canary-secret")
    secret, headers = f"/webhooks/webhook_{place.webhook}/segredo", {"Sec-Fetch-Site": site}
    for address in (PAGE, "/eventos/evt_1", "/eventos.csv?empresa=company_1", secret):
        page = ana.get(address, 403, headers=headers).text
        assert "Este link veio de outro site" in page
        assert f'href="{address}' in page
        assert "canary" not in page
    assert not rows(app, "SELECT 1 FROM audit WHERE action IN ('payload_viewed', 'export')")
    # A bookmark, and our own pages.
    for own in ("none", "same-origin"):
        assert "canary-phone" in ana.get(PAGE, headers={"Sec-Fetch-Site": own}).text
    assert "canary-secret" in ana.get(secret).text
