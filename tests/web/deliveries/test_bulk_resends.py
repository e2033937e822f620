"""Resending much of a webhook on the pages: counted, confirmed, watched, cancelled."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import deliver, now_ms
from webhookproxy.models.deliveries.bulk_resends import BulkResend
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.rules.webhooks import WebhookState

HOUR_MS = 3_600_000


@pytest.fixture
def missed(app: Flask, place: Place) -> Place:
    """Five that were refused an hour apart, one that expired, one cancelled, one that arrived."""
    for number in range(1, 6):
        came = now_ms() - (6 - number) * HOUR_MS + 60_000
        given = {"state": "refused", "reason": "refused_status", "status": 400}
        deliver(app, place.company, place.webhook, number, received_ms=came, **given)
    state = {"state": "expired", "reason": "max_age", "status": None}
    deliver(app, place.company, place.webhook, 6, name="call-was-ended", **state)
    state = {"state": "cancelled", "reason": "discarded", "status": None}
    deliver(app, place.company, place.webhook, 7, **state)
    deliver(app, place.company, place.webhook, 8)
    return place


def asking(place: Place, **given: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in given.items())
    return f"/webhooks/webhook_{place.webhook}/reenviar?{query}"


def shown_count(browser: Browser, address: str) -> str:
    found = re.search(r'big-number"><strong>([^<]*)</strong> (\w+)', browser.get(address).text)
    return f"{found[1]} {found[2]}" if found else "nothing"


def bulks(app: Flask) -> list[tuple[object, ...]]:
    query = "SELECT webhook_id, total, event, begins, state FROM bulk_resends ORDER BY id"
    return [tuple(row) for row in rows(app, query)]


def begun(browser: Browser, place: Place, **given: str) -> str:
    """The address of a bulk resend that was asked for."""
    path = f"/webhooks/webhook_{place.webhook}/reenviar"
    fields: dict[str, Any] = {"desde": "tudo", "situacao": "recusada", **given}
    return str(browser.post(path, **fields).location)


def test_it_is_counted_before_anything_is_resent(
    app: Flask, missed: Place, beto: Browser, ana: Browser
) -> None:
    assert ana.get(f"/webhooks/webhook_{missed.webhook}").text.count("Reenviar o que não chegou")
    every = "situacao=recusada&situacao=expirada"
    for browser in (beto, ana):
        assert shown_count(browser, asking(missed)) == "6 entregas"
        assert shown_count(browser, asking(missed, desde="1h") + f"&{every}") == "2 entregas"
        assert shown_count(browser, asking(missed, desde="1h", situacao="expirada")) == "1 entrega"
        everything = asking(missed, desde="tudo") + f"&{every}&situacao=cancelada"
        assert shown_count(browser, everything) == "7 entregas"
        assert shown_count(browser, everything + "&evento=call-was-ended") == "1 entrega"
        assert shown_count(browser, everything + "&evento=no-such") == "nothing"
    assert "Nada a reenviar" in beto.get(everything + "&evento=no-such").text
    assert bulks(app) == []


def test_a_time_is_typed_as_the_clock_of_the_company_shows_it(missed: Place, beto: Browser) -> None:
    moment = datetime.now(ZoneInfo("America/Sao_Paulo")) - timedelta(hours=2)
    typed = moment.strftime("%Y-%m-%dT%H:%M")
    address = asking(missed, desde="outro", hora=typed, situacao="recusada")
    assert shown_count(beto, address) == "2 entregas"
    for wrong, said in (
        ("ontem", "Digite o dia e a hora"),
        ("2999-01-01T00:00", "uma que já passou"),
        ("", "Digite o dia e a hora"),
    ):
        page = beto.get(asking(missed, desde="outro", hora=wrong, situacao="recusada"))
        assert said in page.text
    assert "Marque ao menos uma" in beto.get(asking(missed, desde="1h")).text
    beto.get(asking(missed, desde="sempre"), 404)
    beto.get(asking(missed, desde="1h", situacao="entregue"), 404)


def test_the_rate_says_how_long_it_takes(app: Flask, missed: Place, beto: Browser) -> None:
    assert "sem limite de envios" in beto.get(asking(missed)).text
    store_of(app).session(
        lambda session: setattr(find_webhook(session, missed.webhook), "rate_limit", 0.05)
    )
    assert "a 0,05 por segundo leva cerca de 2 min" in beto.get(asking(missed)).text


def test_what_was_confirmed_is_begun_and_shown_with_its_progress(
    app: Flask, missed: Place, beto: Browser
) -> None:
    address = begun(beto, missed, desde="tudo", evento="call-was-connected")
    assert address == "/reenvios/resend_1"
    assert bulks(app) == [(missed.webhook, 5, "call-was-connected", 0, "running")]
    page = beto.get(address).text
    assert "0 de 5 entregues.</strong>" in page
    assert 'value="0" aria-label="Quanto do reenvio' in page
    assert "recusadas, só call-was-connected" in page
    assert "Em andamento" in page
    assert 'data-live="/reenvios/resend_1/ao-vivo"' in page

    def go_on(session: object) -> None:
        bulk = session.get(BulkResend, 1)  # type: ignore[attr-defined]
        bulk.queued, bulk.delivered, bulk.failed, bulk.skipped = 3, 1, 1, 1

    store_of(app).session(go_on)
    page = beto.get(address).text
    assert "1 de 5 entregues.</strong>" in page
    assert 'value="20"' in page
    assert "1 pulada" in page
    assert "Ver o reenvio" in beto.get(f"/webhooks/webhook_{missed.webhook}").text


def test_what_was_refused_since_the_request_is_counted_and_only_what_arrived_fills_the_bar(
    app: Flask, missed: Place, beto: Browser
) -> None:
    address = begun(beto, missed)

    def go_on(session: object) -> None:
        bulk = session.get(BulkResend, 1)  # type: ignore[attr-defined]
        bulk.queued, bulk.delivered = 25, 0

    store_of(app).session(go_on)
    banner = beto.get(f"/webhooks/webhook_{missed.webhook}").text
    assert "Reenvio em andamento:</strong> 0 de 25 entregues." in banner
    assert "0% entregue" in beto.get(address).text
    beto.post(f"{address}/cancelar")
    page = beto.get(address).text
    assert "0 de 25 entregues.</strong>" in page
    assert 'value="0"' in page


def test_of_a_double_click_both_see_the_same(app: Flask, missed: Place, beto: Browser) -> None:
    assert begun(beto, missed) == begun(beto, missed)
    assert len(bulks(app)) == 1
    assert "Há um reenvio em andamento" in beto.get(asking(missed)).text


@pytest.mark.parametrize(
    ("state", "said"),
    [(WebhookState.PAUSED, "está pausado"), (WebhookState.SIMULATED, "está simulado")],
)
def test_a_webhook_that_is_not_sent_to_must_be_resumed_first(
    app: Flask, missed: Place, beto: Browser, state: WebhookState, said: str
) -> None:
    def switch(session: object) -> None:
        switch_webhook(session, find_webhook(session, missed.webhook), state)  # type: ignore[arg-type]

    store_of(app).session(switch)
    page = beto.get(asking(missed)).text
    assert said in page
    assert "Reenviar todas" not in page
    address = begun(beto, missed)
    assert said in beto.get(address).text
    assert bulks(app) == []


def test_the_page_says_why_it_waits(app: Flask, missed: Place, beto: Browser) -> None:
    address = begun(beto, missed)

    def hold(session: object) -> None:
        webhook = find_webhook(session, missed.webhook)  # type: ignore[arg-type]
        switch_webhook(session, webhook, WebhookState.PAUSED)  # type: ignore[arg-type]

    store_of(app).session(hold)
    page = beto.get(address).text
    assert "Esperando" in page
    assert "O reenvio continua quando você o retomar" in page


def test_it_is_cancelled_once_that_is_confirmed(app: Flask, missed: Place, beto: Browser) -> None:
    address = begun(beto, missed)
    assert f'href="{address}/cancelar"' in beto.get(address).text
    assert "Cancelar este reenvio?" in beto.get(f"{address}/cancelar").text
    assert bulks(app)[0][-1] == "running"
    beto.post(f"{address}/cancelar")
    assert bulks(app)[0][-1] == "cancelled"
    page = beto.get(address).text
    assert "nada mais entra na fila" in page
    assert f"{address}/cancelar" not in page
    assert "não há o que cancelar" in beto.get(f"{address}/cancelar").text
    beto.post(f"{address}/cancelar")
    actions = rows(app, "SELECT action, detail FROM audit WHERE action LIKE 'bulk%' ORDER BY id")
    assert [tuple(row) for row in actions] == [
        ("bulk_resend", "5"),
        ("bulk_resend_cancelled", "0 of 5"),
    ]


def test_the_audit_has_words_for_it(missed: Place, beto: Browser, ana: Browser) -> None:
    ana_path = begun(beto, missed)
    ana.post(f"{ana_path}/cancelar")
    page = ana.get("/auditoria").text
    assert "Começou um reenvio" in page
    assert "0 de 5 entregas" in page


def test_others_have_nothing_of_it(missed: Place, beto: Browser, carla: Browser) -> None:
    address = begun(beto, missed)
    for path in (address, f"{address}/cancelar", asking(missed)):
        carla.get(path, 404)
    carla.get("/reenvios/resend_99", 404)
    carla.get(f"/entregas/reenviar?id=delivery_{1}", 404)


def test_what_the_list_shows_can_all_be_resent(missed: Place, beto: Browser) -> None:
    hook = f"webhook=webhook_{missed.webhook}"
    assert "Reenviar todas que combinam" not in beto.get(f"/entregas?{hook}").text
    # Without a webhook in the filter those of the page are offered.
    assert (
        f"/webhooks/webhook_{missed.webhook}/reenviar" in beto.get("/entregas?estado=falhou").text
    )
    listed = beto.get(f"/entregas?{hook}&estado=falhou&periodo=24h&evento=call-was-connected").text
    found = re.search(r'href="(/webhooks/webhook_\d+/reenviar[^"]*)"', listed)
    assert found
    assert shown_count(beto, found[1].replace("&amp;", "&")) == "5 entregas"
    # A resend takes the whole name of an event.
    part = beto.get(f"/entregas?{hook}&estado=falhou&periodo=24h&evento=was-conn").text
    assert "call-was-connected" in part
    assert "/reenviar?" not in part


@pytest.mark.usefixtures("missed")
def test_what_was_ticked_in_the_list_is_resent_once_that_is_confirmed(
    app: Flask, beto: Browser
) -> None:
    listed = beto.get("/entregas").text
    assert listed.count('form="selecionadas"') == 8
    assert "Nenhuma entrega selecionada" in beto.get("/entregas/reenviar").text
    query = "id=delivery_2&id=delivery_8&id=delivery_2"
    page = beto.get(f"/entregas/reenviar?{query}").text
    assert "Reenviar 2 entregas?" in page
    assert rows(app, "SELECT 1 FROM deliveries WHERE resends > 0") == []
    beto.post("/entregas/reenviar", id=["delivery_2", "delivery_8"])
    query = "SELECT id, state, reason FROM deliveries WHERE resends = 1 ORDER BY id"
    assert [tuple(row) for row in rows(app, query)] == [
        (2, "queued", "resent"),
        (8, "queued", "resent"),
    ]
    listed = beto.get("/entregas").text
    assert "2 entregas na fila" in listed
    assert listed.count("<span>Reenviada</span>") == 2
    beto.post("/entregas/reenviar", id=["delivery_2"])
    assert "já estava na fila" in beto.get("/entregas").text
    for wrong in ("delivery_0", "2", "delivery_99", "event_2"):
        beto.get(f"/entregas/reenviar?id={wrong}", 404)
    many = "&".join(f"id=delivery_{number}" for number in range(1, 60))
    beto.get(f"/entregas/reenviar?{many}", 404)


@pytest.mark.usefixtures("missed")
def test_of_the_ticked_ones_those_that_cannot_are_said(app: Flask, beto: Browser) -> None:
    store_of(app).run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE events SET note = 'masked' WHERE id = 3"
        )
    )
    beto.post("/entregas/reenviar", id=["delivery_2", "delivery_3"])
    page = beto.get("/entregas").text
    assert "1 entrega na fila" in page
    assert "Parte não foi reenviada. Dados pessoais foram retirados" in page
