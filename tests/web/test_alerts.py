"""The pages of alerts: a user's own addresses, what is watched, and what was told of a company."""

from __future__ import annotations

import re
import time

from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from tests.web.support.sockets import execute

SLACK = "https://hooks.slack.com/services/T0/B0/canary-slack"


def add(browser: Browser, status: int = 303, **typed: str) -> str:
    """Send the form of a new address; return the answer's text."""
    page = browser.get("/avisos").text
    main = page[page.index('id="titulo-novo"') : page.index('id="titulo-quando"')]
    fields = {**form_fields(f"<main>{main}"), **typed}
    return browser.send("/avisos", fields, status).text


def audit(app: Flask) -> list[tuple[str, str]]:
    query = "SELECT action, detail FROM audit WHERE action LIKE 'alert%' ORDER BY id"
    return [tuple(row) for row in rows(app, query)]


def link_of(app: Flask) -> str:
    from sqlalchemy import select

    from webhookproxy.extensions import db
    from webhookproxy.models import AlertMessage

    with app.app_context():
        newest = select(AlertMessage.link).order_by(AlertMessage.id.desc()).limit(1)
        return re.sub(r"^https?://[^/]*", "", str(db.session.scalar(newest)))


def test_an_address_is_added_confirmed_by_the_button_tried_and_removed(
    app: Flask, ana: Browser, beto: Browser, visitor: Browser
) -> None:
    assert "Você ainda não é avisado de nada" in beto.get("/avisos").text
    add(beto, kind="slack", target=SLACK)
    page = beto.get("/avisos").text
    assert "Falta confirmar" in page
    assert "Nenhum endereço está confirmado" in page
    # The path of the URL is the secret; no one else sees even its host.
    assert "canary-slack" not in page
    assert "hooks.slack.com" not in ana.get("/avisos").text
    link = link_of(app)
    # The link is opened elsewhere, by a mail scanner too: only the button confirms.
    assert "Receber avisos aqui?" in visitor.get(link).text
    assert "Falta confirmar" in beto.get("/avisos").text
    assert "Confirmado" in visitor.post(link, 200).text
    assert "não vale mais" in visitor.get(link, 404).text
    visitor.post(link, 404)
    for act, status in (("teste", 303), ("confirmacao", 303), ("primeiro", 303)):
        beto.post(f"/avisos/address_1/{act}", status)
    assert "já está confirmado" in beto.get("/avisos").text
    for act in ("teste", "confirmacao", "primeiro", "remover"):
        ana.post(f"/avisos/address_1/{act}", 404)
    beto.post("/avisos/address_1/remover")
    assert "Você ainda não é avisado de nada" in beto.get("/avisos").text
    assert audit(app) == [
        ("alert_address_added", "slack"),
        ("alert_address_confirmed", "slack"),
        ("alert_address_removed", "slack"),
    ]
    shown = ana.get("/auditoria").text
    for words in ("Cadastrou", "Confirmou", "Removeu"):
        assert f"{words} um endereço de avisos" in shown


def test_what_is_no_address_is_refused_beside_its_field(beto: Browser) -> None:
    for kind, target, sentence in (
        ("slack", "https://exemplo.com/services/T0", "começa com https://hooks.slack.com/"),
        ("email", "ana@exemplo.com.br", "ainda não envia e-mails"),
        ("telegram", "nada", "O token do bot não está certo"),
        ("ntfy", "um tópico", "letras sem acento"),
        ("webhook", "ftp://exemplo.com", "https"),
    ):
        page = add(beto, 200, kind=kind, target=target)
        assert page.count(sentence) >= 2, kind
        assert 'id="problemas"' in page


def test_the_key_of_our_own_post_is_shown_once(beto: Browser) -> None:
    page = add(beto, 200, kind="webhook", target="http://127.0.0.1:9999/avisos")
    assert "whsec_" in page
    page = beto.get("/avisos").text
    assert "whsec_" not in page
    assert "127.0.0.1" in page


def test_messages_to_addresses_are_throttled(beto: Browser) -> None:
    add(beto, kind="slack", target=SLACK)
    said = []
    for _ in range(3):
        beto.post("/avisos/address_1/confirmacao")
        said.append("já recebeu 3 mensagens hoje" in beto.get("/avisos").text)
    assert said == [False, False, True]
    codes = [beto.post("/avisos/address_1/confirmacao", None).status_code for _ in range(10)]
    assert 429 in codes


def test_when_to_be_told_is_stored_and_all_mistakes_are_said_at_once(
    app: Flask, beto: Browser
) -> None:
    fields = beto.fields("/avisos")
    fields = {**fields, "quiet_from": "25h", "quiet_until": "x"}
    page = beto.send("/avisos/preferencias", fields, 200).text
    assert "2 pontos" in page
    assert page.count("Escreva a hora como 22:00") == 4
    fields["quiet_from"] = "22h"
    assert "Escreva a hora" in beto.send("/avisos/preferencias", fields, 200).text
    one = beto.send("/avisos/preferencias", {**fields, "quiet_until": ""}, 200).text
    assert 'href="#quiet_until"' in one
    assert "Informe o começo e o fim" in one
    fields = {**fields, "quiet_until": "7:05", "morning_line": "y"}
    beto.send("/avisos/preferencias", fields, 303)
    shown = beto.fields("/avisos")
    assert (shown["quiet_from"], shown["quiet_until"]) == ("22:00", "07:05")
    assert "morning_line" in shown
    assert audit(app) == [("alerts_changed", "when")]


def test_what_is_watched_is_chosen_for_all_companies_and_for_one(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    everywhere, one = "/avisos/acompanhar", f"/avisos/acompanhar/company_{place.company}"
    assert "Disco quase cheio" in ana.get(everywhere).text
    page = beto.get(everywhere).text
    assert "Disco quase cheio" not in page
    assert "Em branco: 5 min." in page
    fields = beto.fields(everywhere)
    wrong = {**fields, "silence_minutes": "1,5", "gap_minutes": "99999"}
    assert "2 pontos" in beto.send(everywhere, wrong, 200).text
    chosen = {**fields, "silence_choice": "off", "connection_lost_minutes": "15"}
    beto.send(everywhere, chosen, 303)
    page = beto.get(one).text
    assert "Em branco: 15 min." in page
    assert "Como em todas (não avisar)" in page
    beto.send(one, {**beto.fields(one), "silence_choice": "on"}, 303)
    stored = rows(
        app, "SELECT company_id, condition, is_on, minutes FROM alert_watches ORDER BY id"
    )
    assert [tuple(each) for each in stored] == [
        (None, "connection_lost", 1, 15),
        (None, "silence", 0, None),
        (place.company, "silence", 1, None),
    ]
    # Saved again without a change nothing is written; as usual, the row goes.
    beto.send(one, {**beto.fields(one), "silence_choice": "usual"}, 303)
    assert len(rows(app, "SELECT 1 FROM alert_watches")) == 2
    beto.get(f"/avisos/acompanhar/company_{place.other_company}", 404)
    assert audit(app) == [
        ("alerts_changed", "connection_lost silence"),
        ("alerts_changed", "silence"),
        ("alerts_changed", "silence"),
    ]
    assert "Conexão perdida, Conectada, mas sem eventos" in ana.get("/auditoria").text


def test_a_reader_has_alerts_of_their_own(lena: Browser) -> None:
    add(lena, kind="ntfy", target="avisos")
    assert "av…" in lena.get("/avisos").text


def tell(app: Flask, place: Place) -> None:
    """Beto was told of an alert, and not of its end; Carla was told of hers."""
    execute(
        app,
        f"""INSERT INTO alerts (id, condition, company_id, webhook_id, since, opened_at, closed_at)
        VALUES (1, 'connection_lost', {place.company}, NULL, 1, 2, 3),
        (2, 'webhook_failing', {place.other_company}, {place.other_webhook}, 1, 2, NULL)""",
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
