"""A day compared with 3C Plus: its progress, its figures, and what can be done about each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.application import rest_on_loopback, rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.deliveries import delivery_row, event_row, insert
from tests.web.support.sockets import arrived, execute
from webhookproxy.events.call_facts import CallFacts
from webhookproxy.events.recovery.comparison import AtWebhook, Call, Compared, Due
from webhookproxy.models.recovery.comparisons import day_bounds, yesterday

PAYLOAD = '{"callHistory":{"_id":"h%d","number":"4198812000%d","agent":{"name":"Ana"}}}'


@pytest.fixture
def address(app: Flask, place: Place) -> str:
    """The page of a company that had events since the day before yesterday."""
    rest_on_loopback(app)
    arrived(app, place.company, 72, 1)
    return f"/empresas/company_{place.company}/comparar"


def compared(app: Flask, place: Place) -> Compared:
    """A day of seven calls: one is missing, one purged, the others at the webhook as they are."""
    states = ("delivered", "refused", "queued", "filtered")
    insert(
        app,
        [event_row(n, place.company, payload=PAYLOAD % (n, n)) for n in range(1, 7)],
        [
            delivery_row(n, n, place.webhook, state=state, reason="accepted")
            for n, state in enumerate(states, 1)
        ],
    )
    found = Compared(webhooks=[AtWebhook(place.webhook)])
    dues = [Due(n, place.webhook, n, state) for n, state in enumerate(states, 1)]
    known = {f"h{n}": n for n in [*range(1, 6), 99]}
    missing = found.take([*known, "lost"], known, set(range(1, 6)), dues)
    found.missing = [Call(each, 0, CallFacts(telephone="41988129999")) for each in missing]
    found.take_only_here([6])
    return found


def store(app: Flask, found: Compared) -> None:
    execute(
        app,
        "UPDATE day_comparisons SET state = 'finished', listed = :listed, ended_ms = asked_ms,"
        " result = :result",
        listed=found.listed,
        result=found.to_json(),
    )


def test_a_day_is_compared_and_its_differences_are_acted_upon(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    assert f'href="{address}"' in beto.get(f"/empresas/company_{place.company}").text
    page = beto.get(address).text
    assert "Este dia ainda não foi comparado" in page
    assert '<a href="/empresas" aria-current="page">' in page
    beto.post(address, 303)
    page = beto.get(address).text
    assert "Perguntando à 3C Plus: 0 ligações até agora." in page
    assert f"{address}/ao-vivo?dia={yesterday()}" in page
    beto.post(address, 303)
    assert (
        f"O dia {yesterday():%d/%m/%Y} desta empresa está sendo comparado" in beto.get(address).text
    )
    store(app, compared(app, place))
    page = beto.get(address).text
    day = f"Ontem ({yesterday():%d/%m})"
    assert (
        f"{day}: 7 ligações na 3C Plus, 1 no Webhook (1 não chegou aqui, 1 a caminho,"
        " 1 com falha, 1 não enviada, 1 fora do filtro, 1 já apagada aqui)." in page
    )
    for said in (
        "Não chegaram aqui: 1",
        "(41) 98812-9999",
        "Chegaram aqui e não a “Webhook”: 3",
        "1 ligação chegou aqui e já foi apagada",
        "Chegaram pelo socket e a 3C Plus não lista: 1",
    ):
        assert said in page, said
    # Only what ended is resent; what waits is on its way.
    assert page.count('name="id" value="delivery_') == 1
    assert "Reenviar 1 entrega?" in beto.get("/entregas/reenviar?id=delivery_2").text
    beto.post(f"{address}/recuperar", 303, pedido="1")
    (found,) = rows(app, "SELECT state, missing, since_ms, until_ms FROM recoveries")
    assert tuple(found) == ("running", 0, *day_bounds(yesterday()))
    (noted,) = rows(app, "SELECT who, detail FROM audit WHERE action = 'calls_recovered'")
    assert tuple(noted) == ("beto@exemplo.com.br", "1")
    # The page says how each is by now.
    execute(app, "UPDATE deliveries SET state = 'delivered' WHERE id = 2")
    execute(
        app,
        "INSERT INTO call_histories (company_id, history_id, seen_ms) VALUES (:company, 'lost', 1)",
        company=place.company,
    )
    page = beto.get(address).text
    assert "Recuperada" in page
    assert 'name="id"' not in page


def test_what_is_equal_or_cannot_be_known_is_said(
    app: Flask, beto: Browser, place: Place, address: str
) -> None:
    beto.post(address, 303)
    whole = Compared(2, 2, webhooks=[AtWebhook(place.webhook, {"delivered": 2})])
    store(app, whole)
    page = beto.get(address).text
    assert "Tudo confere" in page
    assert "2 ligações na 3C Plus, 2 no Webhook." in page
    store(app, replace(whole, is_cut=True))
    assert "Tudo confere" not in beto.get(address).text
    for trouble, said in (("unauthorized", "recusou o token (401)"), (None, "erro nosso")):
        execute(
            app,
            "UPDATE day_comparisons SET state = 'stopped', result = NULL, trouble = :trouble",
            trouble=trouble,
        )
        assert said in beto.get(address).text


def test_only_a_day_is_compared_and_only_by_who_may(
    app: Flask, beto: Browser, carla: Browser, lena: Browser, address: str
) -> None:
    beto.get(f"{address}?dia=ontem", 404)
    beto.post(address, 404, dia="9999-12-31")
    for days in (-2, 40):
        beto.post(address, 303, dia=str(yesterday() - timedelta(days=days)))
        assert "Escolha um dia que já começou" in beto.get(address).text
    carla.post(address, 404)
    lena.post(address, 403)
    assert not rows(app, "SELECT id FROM day_comparisons")
    for asked in ("1", str(10**30), "-1", ""):
        beto.post(f"{address}/recuperar", 404, pedido=asked)
