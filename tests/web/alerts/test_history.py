"""What was told of a company, and what could not be told."""

from __future__ import annotations

import re
import time

from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import execute


def tell(app: Flask, place: Place) -> None:
    """Beto was told of an alert, and not of its end; Carla was told of hers."""
    now = round(time.time() * 1000)
    execute(
        app,
        f"""INSERT INTO alerts (id, condition, company_id, webhook_id, since, opened_at, closed_at)
        VALUES (1, 'connection_lost', {place.company}, NULL, {now}, {now}, {now}),
        (2, 'webhook_failing', {place.other_company}, {place.other_webhook}, 1, 2, NULL),
        (3, 'silence', {place.company}, NULL, 1, 2, 3)""",
    )
    execute(
        app,
        """INSERT INTO alert_addresses
        (id, user_id, kind, target, label, position, created_at, messages_unconfirmed)
        SELECT id, id, 'email', 'x', 'label of ' || email, 1, 0, 0 FROM users""",
    )
    execute(
        app,
        """INSERT INTO alert_messages (message_id, user_id, kind, created_at, due_at, attempts,
        sent_at, sent_by, given_up_at, error)
        SELECT 'a' || id, id, 'alert.opened', 10, 10, 1, 11, id, NULL, NULL FROM users
        UNION ALL SELECT 'b' || id, id, 'alert.closed', 20, 20, 9, NULL, NULL, 21, 'bounced'
        FROM users""",
    )
    execute(
        app,
        """INSERT INTO alert_message_parts (message_id, alert_id, part, changes)
        SELECT m.id, CASE WHEN u.email LIKE 'carla%' THEN 2 ELSE 1 END,
        CASE WHEN m.kind = 'alert.opened' THEN 'opened' ELSE 'closed' END, 0
        FROM alert_messages m JOIN users u ON u.id = m.user_id""",
    )


def test_a_company_shows_what_was_told_to_whom_and_what_could_not_be_sent(
    app: Flask, ana: Browser, beto: Browser, carla: Browser, lena: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}/avisos"
    assert "Nenhum aviso ainda" in beto.get(address).text
    tell(app, place)
    page = ana.get(address).text
    for said in ("Conexão perdida", "avisado a beto@exemplo.com.br", "não pôde ser enviado a você"):
        assert said in page
    assert "carla@" not in page
    # It is over for more than 30 days.
    assert "Conectada, mas sem eventos" not in page
    for browser in (beto, lena):
        page = browser.get(address).text
        assert "avisado a você" in page
        # Neither who else was told, nor any address.
        assert not re.search(r"(ana|beto|carla)@|label of", page.replace('title="beto@', ""))
    carla.get(address, 404)
    other = carla.get(f"/empresas/company_{place.other_company}/avisos").text
    assert "Webhook falhando" in other


def test_the_panel_says_that_an_alert_did_not_reach_the_user(
    app: Flask, beto: Browser, lena: Browser, place: Place
) -> None:
    tell(app, place)
    # What is old is not said any more.
    assert "Um aviso não chegou a você" not in beto.get("/").text
    now = round(time.time() * 1000)
    moved = "UPDATE alert_messages SET created_at = :now WHERE kind = 'alert.closed'"
    execute(app, moved, now=now)
    page = beto.get("/").text
    assert "Um aviso não chegou a você" in page
    assert "a caixa não existe" in page
    # The next one reached Beto.
    reached = (
        "UPDATE alert_messages SET created_at = :now WHERE sent_at IS NOT NULL AND user_id = 1"
    )
    execute(app, reached, now=now + 1)
    assert "Um aviso não chegou a você" not in beto.get("/").text
    assert "Um aviso não chegou a você" in lena.get("/").text


def test_administrators_see_what_was_told_of_the_server(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    address = "/avisos/servidor"
    beto.get(address, 403)
    assert address not in beto.get("/avisos").text
    assert address in ana.get("/avisos").text
    assert "Nada deu errado no servidor" in ana.get(address).text
    tell(app, place)
    execute(
        app,
        "UPDATE alerts SET condition = 'disk_full', company_id = NULL WHERE id = 1",
    )
    page = ana.get(address).text
    for said in ("Disco quase cheio", "avisado a você", "avisado a beto@exemplo.com.br"):
        assert said in page
    assert '<a href="/avisos" aria-current="page">' in page
    assert '<a href="/empresas">' in page
    # Companies have pages of their own.
    assert "Webhook falhando" not in page
