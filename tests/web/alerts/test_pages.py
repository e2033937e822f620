"""The page "Avisos": a user's own addresses, and when they are told."""

from __future__ import annotations

import re

from flask import Flask

from tests.web.alerts.audited import audited
from tests.web.support.browser import Browser, form_fields

SLACK = "https://hooks.slack.com/services/T0/B0/canary-slack"


def add(browser: Browser, status: int = 303, **typed: str) -> str:
    """Send the form of a new address; return the answer's text."""
    page = browser.get("/avisos").text
    main = page[page.index('id="titulo-novo"') : page.index('id="titulo-quando"')]
    fields = {**form_fields(f"<main>{main}"), **typed}
    return browser.send("/avisos", fields, status).text


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
    assert audited(app) == [
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
        ("ntfy", "um tópico", "começa com tk_"),
        ("webhook", "ftp://exemplo.com", "https"),
    ):
        page = add(beto, 200, kind=kind, target=target)
        assert page.count(sentence) >= 2, kind
        assert 'id="problemas"' in page
        # What was typed is shown again, but for what may be a secret.
        assert (f'value="{target}"' in page) == (kind not in ("slack", "telegram", "ntfy")), kind


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
    assert audited(app) == [("alerts_changed", "when")]


def test_a_reader_has_alerts_of_their_own(lena: Browser) -> None:
    add(lena, kind="ntfy", target="avisos")
    assert "av…" in lena.get("/avisos").text
