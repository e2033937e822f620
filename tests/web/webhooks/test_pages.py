"""The page of a webhook: whether it delivers, what waits, how to check a signature."""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.events import contract

SECRET = "canary-secret"
BODY = '{"event":"açaí"}'.encode()


def address_of(webhook: int) -> str:
    return f"/webhooks/webhook_{webhook}"


def change(app: Flask, statement: str, **values: Any) -> None:
    def job(session: Session) -> None:
        session.execute(text(statement), values)

    store_of(app).session(job)


def situation(page: str) -> str:
    """The part of the page that says whether it delivers."""
    found = re.search(r'<section id="situacao".*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def test_the_first_thing_a_page_says_is_whether_it_delivers(
    app: Flask, beto: Browser, place: Place
) -> None:
    page = beto.get(address_of(place.webhook)).text
    assert page.index('id="situacao"') < page.index('id="numeros"') < page.index('id="entregas"')
    assert "Ativo" in situation(page)
    assert "Nenhuma entrega ainda" in situation(page)
    change(
        app,
        "UPDATE webhook_health SET created = 30, delivered = 12, refused = 3, expired = 2,"
        " circuit_opened_at = 1795600000000, next_probe_at = 4102444800000,"
        " last_error = 'failed_status', last_error_status = 503 WHERE webhook_id = :id",
        id=place.webhook,
    )
    page = beto.get(address_of(place.webhook)).text
    assert "Falhando" in situation(page)
    assert "próximo teste" in situation(page)
    assert "Sua URL responde com erro: status 503, desde" in situation(page)
    assert "Testar agora" in situation(page)


def test_a_webhook_that_failed_and_never_delivered_is_not_called_new(
    app: Flask, beto: Browser, place: Place
) -> None:
    change(
        app,
        "UPDATE webhook_health SET created = 1, last_error_at = 1795600000000,"
        " last_error_status = 422 WHERE webhook_id = :id",
        id=place.webhook,
    )
    said = situation(beto.get(address_of(place.webhook)).text)
    assert "Nenhuma entrega aceita ainda." in said
    assert "com HTTP 422" in said


def test_a_page_says_so_when_no_event_can_come(beto: Browser, place: Place) -> None:
    said = situation(beto.get(address_of(place.webhook)).text)
    assert "Conexão da empresa: Ainda não conectada." in said
    assert f'href="/empresas/company_{place.company}"' in said


def test_each_counter_leads_to_the_deliveries_it_counts(
    app: Flask, beto: Browser, place: Place
) -> None:
    change(
        app,
        "UPDATE webhook_health SET created = 30, delivered = 12, refused = 3, expired = 2"
        " WHERE webhook_id = :id",
        id=place.webhook,
    )
    page = html.unescape(beto.get(address_of(place.webhook)).text)
    # Each counter has its period, and the test, which is used first, comes before the resend.
    assert "entregues, no total" in page
    assert "recusadas ou expiradas, no total" in page
    assert "esperando agora" in page
    assert page.index("Enviar teste</h2>") < page.index("Reenviar o que não chegou</h2>")
    for state, count in (("entregue", 12), ("aguardando", 13), ("falhou", 5)):
        link = f"/entregas?webhook=webhook_{place.webhook}&estado={state}"
        assert re.search(rf'href="{re.escape(link)}"><span class="number-value">{count}<', page)
        beto.get(link)


def test_the_rules_are_said_with_this_webhooks_numbers(
    app: Flask, beto: Browser, place: Place
) -> None:
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:9999/",
        parallelism=1,
        rate_limit=0.25,
        timeout=7.5,
        max_age=24.0,
    )
    page = beto.get(address_of(webhook)).text
    assert "ordem estrita, no máximo 0,25 por segundo" in page
    assert "até 7,5 s pela resposta" in page
    assert "por até 24 h" in page
    assert "qualquer 2xx" in page


def test_the_times_are_those_of_the_companys_timezone(
    app: Flask, beto: Browser, place: Place
) -> None:
    change(app, "UPDATE companies SET timezone = 'America/Rio_Branco'")
    change(
        app,
        "UPDATE webhook_health SET circuit_opened_at = 1795600000000 WHERE webhook_id = :id",
        id=place.webhook,
    )
    # 1795600000 is 25 November 2026, 09:46:40 in Greenwich and 04:46:40 in Rio Branco.
    said = situation(beto.get(address_of(place.webhook)).text)
    assert re.search(r"vem falhando, desde (25/11 )?04:46", said)


def test_no_page_of_a_webhook_shows_its_secrets(app: Flask, ana: Browser, place: Place) -> None:
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:9999/crm?key=canary-in-url",
        secret="canary-secret",
        authorization="Bearer canary-authorization",
    )
    for path in ("", "/editar", "/retomar", "/simular", "/excluir", "/segredo"):
        page = ana.get(address_of(webhook) + path).text
        assert "canary-secret" not in page, path
        assert "canary-authorization" not in page, path
        # Only the page that edits the URL shows it.
        assert ("canary-in-url" in page) == (path == "/editar"), path
    assert "Já configurada" in ana.get(address_of(webhook) + "/editar").text


@pytest.mark.parametrize("authorization", [None, "abc"])
@pytest.mark.parametrize("secret", [None, SECRET])
def test_exactly_the_headers_of_this_webhook_are_listed(
    app: Flask, beto: Browser, place: Place, authorization: str | None, secret: str | None
) -> None:
    url = "http://127.0.0.1:9999/"
    own = (("X-Api-Key", "canary-own"), ("user-agent", "me"))
    fields = {"headers": own} if authorization else {}
    webhook = make_webhook(
        app, place.company, url, authorization=authorization, secret=secret, **fields
    )
    sent = contract.headers(
        event="agent-is-idle",
        event_id="evt_1",
        attempt=1,
        body=BODY,
        authorization_value=authorization,
        secrets=[secret] if secret else [],
        now_s=0,
        own=fields.get("headers", ()),
    )
    page = beto.get(address_of(webhook)).text
    listed = page[page.index('<dl class="headers">') :]
    assert re.findall("<dt>(.*?)</dt>", listed) == list(sent)
    assert "canary-own" not in page


def test_deleting_says_what_is_lost_and_leaves_a_tombstone(
    app: Flask, ana: Browser, place: Place
) -> None:
    change(
        app,
        "UPDATE webhook_health SET created = 4, delivered = 2 WHERE webhook_id = :id",
        id=place.webhook,
    )
    page = ana.get(address_of(place.webhook) + "/excluir").text
    assert "2 entregas que ainda esperam" in page
    company = f"/empresas/company_{place.company}"
    assert ana.post(address_of(place.webhook) + "/excluir").location == company
    ana.get(address_of(place.webhook), 404)
    assert rows(
        app, "SELECT 1 FROM webhooks WHERE id = :id AND deleted_at > 0", id=place.webhook
    ) == [(1,)]


def test_the_stream_ends_once_the_webhook_is_gone(app: Flask, ana: Browser, place: Place) -> None:
    with ana.client.get(address_of(place.webhook) + "/ao-vivo") as answer:
        stream = answer.iter_encoded()
        assert b"event: part" in next(stream)
        change(app, "UPDATE webhooks SET deleted_at = 1 WHERE id = :id", id=place.webhook)
        # What is left of the first look, and then the end.
        assert b"event: over" in b"".join(islice(stream, 10))


def test_the_pages_say_what_a_configuration_file_manages(
    app: Flask, place: Place, ana: Browser
) -> None:
    def job(session: Session) -> None:
        session.execute(text("UPDATE companies SET file_key = 'guara' WHERE id = 1"))
        session.execute(text("UPDATE webhooks SET file_key = 'lead' WHERE id = 1"))

    paths = {
        f"{address_of(place.webhook)}": "<code>lead</code>",
        f"{address_of(place.webhook)}/editar": "<code>lead</code>",
        f"{address_of(place.webhook)}/formato": "<code>lead</code>",
        f"/empresas/company_{place.company}": "<code>guara</code>",
        f"/empresas/company_{place.company}/editar": "<code>guara</code>",
    }
    assert [path for path in paths if "pelo arquivo" in ana.get(path).text] == []
    store_of(app).session(job)
    for path, key in paths.items():
        page = ana.get(path).text
        assert "pelo arquivo" in page, path
        assert key in page, path
