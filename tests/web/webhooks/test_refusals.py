"""Refusals explained: each answer once, with its filter and its resend."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import deliver
from tests.web.webhooks.test_pages import change
from webhookproxy.models.types import day_number


def refuse(app: Flask, place: Place, number: int, group: int, name: str = "call-ended") -> None:
    """A refused delivery that is in a group."""
    payload = '{"call":{"phone":"41908568406","status":5},"agent":{"name":"Ana"}}'
    given = {
        "payload": payload,
        "state": "refused",
        "reason": "refused_status",
        "status": 422,
        "name": name,
    }
    deliver(app, place.company, place.webhook, number, **given)
    change(app, "UPDATE deliveries SET refusal_group_id = :g WHERE id = :id", g=group, id=number)


def group(app: Flask, place: Place, number: int, said: str, day: date, **given: object) -> None:
    values = {
        "id": number, "webhook": place.webhook, "day": day_number(day), "status": 422,
        "reason": "refused_status", "shape": said, "count": 3, "sample": number, **given,
    }  # fmt: skip
    change(
        app,
        "INSERT INTO refusal_groups (id, webhook_id, day, status, reason, shape, count, sample_id)"
        " VALUES (:id, :webhook, :day, :status, :reason, :shape, :count, :sample)",
        **values,
    )


def address(place: Place, day: str = "") -> str:
    return f"/webhooks/webhook_{place.webhook}/recusas" + (f"?dia={day}" if day else "")


@pytest.fixture
def refused(app: Flask, place: Place) -> date:
    """Two answers of today and one of yesterday; today's first has two deliveries left."""
    today = datetime.now(ZoneInfo("America/Sao_Paulo")).date()
    group(app, place, 1, "telefone: formato inválido", today, count=38)
    group(app, place, 2, "duplicado", today, status=409)
    group(app, place, 3, "ontem", today - timedelta(days=1), sample=99)
    for number, of in ((1, 1), (2, 2), (3, 1)):
        refuse(app, place, number, of)
    return today


@pytest.mark.usefixtures("refused")
def test_each_answer_is_said_once_the_most_frequent_first(place: Place, beto: Browser) -> None:
    page = beto.get(address(place)).text
    assert page.index("422: telefone: formato inválido") < page.index("409: duplicado")
    assert "de 41 em" in page
    assert "ontem" not in page
    shown = beto.get(f"/webhooks/webhook_{place.webhook}").text
    assert "Por que sua URL recusou" in shown
    assert "422: telefone: formato inválido" in shown


def test_another_day_is_chosen_by_its_link(place: Place, beto: Browser, refused: date) -> None:
    yesterday = (refused - timedelta(days=1)).isoformat()
    assert f"dia={yesterday}" in beto.get(address(place)).text
    page = beto.get(address(place, yesterday)).text
    assert "422: ontem" in page
    # Its last event was purged: nothing could be sent again, or be looked at.
    assert "não está mais guardado" in page
    assert "/reenviar?" not in page
    assert "Nenhuma recusa neste dia" in beto.get(address(place, "2020-01-01")).text
    assert beto.get(address(place, "amanha"), status=404)


@pytest.mark.usefixtures("refused")
def test_the_filter_begins_with_the_event_that_was_refused(place: Place, beto: Browser) -> None:
    page = beto.get(address(place)).text
    found = re.search(r'href="(/webhooks/[^"]*/filtros/condicoes[^"]*)"', page)
    assert found
    filters = beto.get(found[1].replace("&amp;", "&")).text
    assert "Filtro de <code>call-ended</code>" in filters
    # The newest of the first group, though the other group has a newer one.
    assert f'name="sample" value="evt_{1:032x}"' in filters


@pytest.mark.usefixtures("refused")
def test_a_value_of_the_refused_event_becomes_a_filter_that_leaves_it_out(
    place: Place, beto: Browser
) -> None:
    page = beto.get(address(place)).text
    assert "<dt>Telefone</dt><dd>41908568406" in page
    assert "<dt>Agente</dt><dd>Ana" in page
    # A value itself never stands in an address.
    found = re.search(r'href="(/webhooks/[^"]*sem=call.phone)"', page)
    assert found
    assert "41908568406" not in found[1]
    filters = beto.get(found[1].replace("&amp;", "&")).text
    assert 'name="path" value="call.phone"' in filters
    assert '<option value="diferente" selected>' in filters
    assert 'name="value" value="41908568406"' in filters


@pytest.mark.usefixtures("refused")
def test_only_the_deliveries_of_one_answer_are_resent(
    app: Flask, place: Place, beto: Browser
) -> None:
    page = beto.get(address(place)).text
    found = re.search(r'href="(/webhooks/[^"]*/reenviar[^"]*grupo=1[^"]*)"', page)
    assert found
    asked = beto.get(found[1].replace("&amp;", "&")).text
    assert "<strong>2</strong> entregas" in asked
    assert "422: telefone: formato inválido" in asked
    went = beto.post(
        f"/webhooks/webhook_{place.webhook}/reenviar", desde="tudo", situacao="recusada", grupo="1"
    )
    stored = rows(app, "SELECT total, refusal_group_id FROM bulk_resends")
    assert [tuple(row) for row in stored] == [(2, 1)]
    progress = beto.get(str(went.location)).text
    assert "só as de “422: telefone: formato inválido”" in progress


@pytest.mark.usefixtures("refused")
def test_the_group_of_another_webhook_cannot_be_asked_for(
    place: Place, beto: Browser, ana: Browser
) -> None:
    mine = f"/webhooks/webhook_{place.webhook}/reenviar?desde=tudo&situacao=recusada&grupo="
    other = f"/webhooks/webhook_{place.other_webhook}/reenviar?desde=tudo&situacao=recusada&grupo="
    assert beto.get(mine + "1").text
    assert ana.get(other + "1", status=404)
    assert ana.get(mine + "77", status=404)
