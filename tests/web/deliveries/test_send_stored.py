"""A webhook gets what had arrived before: counted, confirmed, and one event from its page."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import deliver, event_row, insert, now_ms

HOUR_MS = 3_600_000


@pytest.fixture
def arrived(app: Flask, place: Place) -> Place:
    """Three events without a delivery, hours ago; one that was filtered; one that arrived."""
    for number in (1, 2, 3):
        came = now_ms() - (5 - number) * HOUR_MS
        insert(app, [event_row(number, place.company, received_ms=came, name="call-was-ended")])
    deliver(app, place.company, place.webhook, 4, state="filtered", reason="filtered_out")
    deliver(app, place.company, place.webhook, 5)
    return place


def shown_count(browser: Browser, address: str) -> str:
    found = re.search(r'big-number"><strong>([^<]*)</strong> (\w+)', browser.get(address).text)
    return f"{found[1]} {found[2]}" if found else "nothing"


def test_it_is_counted_confirmed_shown_and_cancelled(
    app: Flask, arrived: Place, beto: Browser
) -> None:
    page = f"/webhooks/webhook_{arrived.webhook}"
    assert "Enviar o que já chegou" in beto.get(page).text
    address = f"{page}/enviar"
    for query, said in (
        ("desde=tudo", "4 eventos"),
        ("desde=tudo&evento=call-was-ended", "3 eventos"),
        ("desde=tudo&evento=no-such", "nothing"),
        ("desde=outro&hora=ontem", "nothing"),
    ):
        assert shown_count(beto, f"{address}?{query}") == said, query
    assert "Digite o dia e a hora" in beto.get(f"{address}?desde=outro&hora=ontem").text
    assert rows(app, "SELECT * FROM bulk_resends") == []
    location = str(beto.post(address, desde="tudo", evento="call-was-ended").location)
    shown = beto.get(location).text
    assert "Envio do que já tinha chegado a" in shown
    assert "o que já tinha chegado, só call-was-ended" in shown
    assert "0 de 3 entregues" in shown
    # The second of two clicks sees what the first one began.
    assert str(beto.post(address, desde="tudo").location) == location
    assert "Há um envio em andamento" in beto.get(address).text
    assert "Envio do que já tinha chegado:" in beto.get(page).text
    assert "O envio foi cancelado" in beto.get(str(beto.post(f"{location}/cancelar").location)).text
    (entry,) = rows(app, "SELECT detail FROM audit WHERE action = 'send_stored'")
    assert entry.detail == "3"


def test_one_event_is_sent_from_its_page_unless_something_of_it_was(
    app: Flask, arrived: Place, beto: Browser, carla: Browser
) -> None:
    one, filtered, delivered = (f"evt_{number:032x}" for number in (1, 4, 5))
    send = f"/webhooks/webhook_{arrived.webhook}/enviar"
    for event, is_offered in ((one, True), (filtered, True), (delivered, False)):
        assert (f"{send}/{event}" in beto.get(f"/eventos/{event}").text) is is_offered
    assert carla.post(f"{send}/{one}", status=404)
    location = str(beto.post(f"{send}/{delivered}").location)
    assert location.endswith(delivered)
    location = str(beto.post(f"{send}/{one}").location)
    assert f"/eventos/{one}" in beto.get(location).text
    (row,) = rows(app, "SELECT stored, event_id, total FROM bulk_resends")
    assert (bool(row[0]), row[1], row[2]) == (True, 1, 1)
    assert beto.post(f"{send}/evt_unknown", status=404)


def test_a_delivery_that_was_sent_later_is_marked(app: Flask, place: Place, beto: Browser) -> None:
    deliver(app, place.company, place.webhook, 1, resends=1, sent_later=True)
    for page in ("/entregas/delivery_1", "/entregas", f"/eventos/evt_{1:032x}"):
        text = beto.get(page).text
        assert "Enviada depois" in text
        assert "Reenviada" not in text
