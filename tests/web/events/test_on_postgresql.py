"""The pages of events on the other database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.support.application import application, make_company
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import attempt_row, delivery_row, event_row, insert


@pytest.fixture
def app(postgresql_url: str, tmp_path: Path) -> Iterator[Flask]:
    with application(postgresql_url, tmp_path) as app:
        yield app


@pytest.mark.postgresql
def test_an_event_is_found_explained_and_seen_in_its_call(
    app: Flask, place: Place, ana: Browser, beto: Browser
) -> None:
    payload = '{"call":{"phone":"5542999998888","telephony_id":"TEL1"}}'
    insert(
        app,
        [event_row(1, place.company, payload=payload, order_key="call:TEL1")],
        [delivery_row(1, 1, place.webhook, state="refused", reason="refused_status", status=422)],
        [attempt_row(1, 1), attempt_row(1, 2, status=422, answer="agente inativo")],
    )
    page = f"/eventos/evt_{1:032x}"
    part = "?evento=was-conn&periodo=24h"
    for query in ("", "?busca=(42)+99999-8888", "?evento=call-was-connected&periodo=24h", part):
        assert f'href="{page}"' in beto.get(f"/eventos{query}").text, query
    assert "(42) 99999-8888" in beto.get("/eventos").text
    found = beto.get("/ligacoes?telefone=(42)+99999-8888", 302)
    assert found.location.endswith("/ligacao?chave=call:TEL1")
    make_company(app, name="Central São João", token="of-the-central")
    assert "Central São João" in ana.get("/empresas?busca=sao+joao").text
    why = beto.get(page).text
    assert "Não chegou ao webhook que o pediu." in why
    assert "agente inativo" in why
    life = beto.get(f"/empresas/company_{place.company}/ligacao?chave=call:TEL1&abrir=delivery_1")
    assert "1 evento; 1 entrega: 1 recusada." in life.text
    assert "agente inativo" in life.text
