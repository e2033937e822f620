"""Outages on the pages: what they cost, in one sentence, and a text for the client."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.application import store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.models import Outage, Webhook, WebhookHealth
from webhookproxy.web.outages.words import ShownOutage, shown_outage

ZONE = ZoneInfo("America/Sao_Paulo")
NOON = datetime.now(ZONE).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)

# Tests are collected long before they run, so "just now" must lie ahead.
SOON = datetime.now(UTC) + timedelta(hours=2)


def outage(**given: Any) -> Outage:
    """An outage of three minutes that is settled, unless something else is given."""
    values = {
        "webhook_id": 7, "kind": "failing", "reason": "failed_status", "status": 503,
        "began_at": NOON, "ended_at": NOON + timedelta(minutes=3), "first_id": 1, "waited": 183,
        "delivered": 183, "missed": 0, "calls": 41, "is_cut": False,
        "settled_at": NOON + timedelta(minutes=5), **given,
    }  # fmt: skip
    return Outage(**values)


def shown(waiting: int = 0, **given: Any) -> ShownOutage:
    health = WebhookHealth(
        created=waiting, delivered=0, refused=0, expired=0, cancelled=0, simulated=0
    )
    webhook = Webhook(id=7, name="CRM", health=health)
    return shown_outage(outage(**given), webhook, "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("given", "account"),
    [
        ({}, "183 eventos esperaram, 183 entregues, 0 perdidos, 41 ligações"),
        (
            {"waited": 1, "delivered": 0, "missed": 1, "calls": 1},
            "1 evento esperou, 0 entregues, 1 perdido, 1 ligação",
        ),
        ({"delivered": 120, "calls": 0}, "120 de 183 já entregues, os outros saindo"),
        (
            {"delivered": 120, "missed": 3, "calls": 0},
            "120 de 183 já entregues, 3 perdidos, os outros saindo",
        ),
        ({"waited": 0, "delivered": 0, "calls": 0}, "nenhum evento esperou"),
        ({"waited": 0, "delivered": 0, "settled_at": None}, "nenhum evento esperou"),
        (
            {"waited": 0, "ended_at": SOON, "settled_at": None},
            "contando os eventos",
        ),
        ({"ended_at": None, "settled_at": None}, "57 eventos esperando, todos guardados"),
        (
            {"kind": "refusing", "waited": 13, "delivered": 2, "missed": 11, "calls": 0},
            "13 eventos recusados, 2 entregues depois, 11 perdidos",
        ),
        (
            {"waited": 100_000, "delivered": 100_000, "calls": 0, "is_cut": True},
            "dos primeiros 100.000 eventos, 100.000 entregues, 0 perdidos",
        ),
    ],
)
def test_the_account_is_one_sentence(given: dict[str, Any], account: str) -> None:
    assert shown(57, **given).account == account


def test_the_time_is_said_as_the_clock_of_the_company_shows_it() -> None:
    assert shown().when == f"Em {NOON:%d/%m}, das 12:00 às 12:03"
    assert shown().what == "seu CRM ficou fora"
    lasting = shown(ended_at=None, settled_at=None)
    assert (lasting.when, lasting.what) == (f"Desde {NOON:%d/%m} 12:00", "seu CRM está fora")
    over_night = shown(ended_at=NOON + timedelta(hours=13))
    assert over_night.when.startswith(f"De {NOON:%d/%m} 12:00 a ")
    now = datetime.now(ZONE)
    begun = shown(began_at=now, ended_at=now, settled_at=now)
    assert begun.when == f"Das {now:%H:%M} às {now:%H:%M}"


def test_the_text_for_the_client_says_whether_anything_was_lost() -> None:
    when = f"Em {NOON:%d/%m}, das 12:00 às 12:03, CRM ficou fora do ar."
    assert shown().client_text == (
        f"{when} 183 eventos, de 41 ligações, esperaram, e tudo foi entregue depois:"
        " nada se perdeu."
    )
    lost = shown(delivered=180, missed=3, calls=0).client_text
    assert lost == f"{when} 183 eventos esperaram: 180 entregues depois, 3 não foram entregues."
    nothing = shown(waited=1, delivered=0, missed=1, calls=0).client_text
    assert nothing == f"{when} 1 evento esperou e não foi entregue."
    drains = shown(delivered=120, calls=0).client_text
    assert drains.endswith("183 eventos esperaram: 120 já entregues, os outros estão saindo agora.")
    lasting = shown(57, ended_at=None, settled_at=None).client_text
    assert lasting == (
        f"Desde 12:00 de {NOON:%d/%m}, CRM está fora do ar. 57 eventos estão guardados, e tudo é"
        " entregue assim que voltar."
    )


@pytest.mark.parametrize(
    ("success", "what", "account"),
    [
        (None, "sua URL recusa tudo", "nenhum evento foi aceito desde então"),
        (-1, "sua URL recusa tudo", "nenhum evento foi aceito desde então"),
        (1, "sua URL recusa parte dos eventos", "os outros continuam chegando"),
    ],
)
def test_a_receiver_that_accepted_nothing_since_it_refuses_refuses_everything(
    success: int | None, what: str, account: str
) -> None:
    at = None if success is None else NOON + timedelta(seconds=success)
    health = shown().webhook.health
    health.last_success_at = at
    row = outage(kind="refusing", status=422, ended_at=None, settled_at=None)
    said = shown_outage(row, Webhook(id=7, name="CRM", health=health), "America/Sao_Paulo")
    assert (said.what, said.account) == (what, account)
    assert ("recusa todos os eventos" in said.client_text) == ("tudo" in what)
    assert ("tudo" in said.label) == ("tudo" in what)
    ended = outage(kind="refusing", ended_at=NOON + timedelta(minutes=40))
    past = shown_outage(ended, Webhook(id=7, name="CRM", health=health), "America/Sao_Paulo")
    assert past.what == "sua URL recusou parte dos eventos"


@pytest.fixture
def an_outage(app: Flask, place: Place) -> Place:
    """One of some minutes ago, with three events lost."""
    now = datetime.now(ZONE)
    # Of today, also in its first minutes: the words for two days are others.
    began = max(now - timedelta(minutes=9), now.replace(hour=0, minute=0, second=0, microsecond=0))
    given = {"began_at": began, "ended_at": began + (now - began) / 3}

    def job(session: Session) -> None:
        session.add(outage(webhook_id=place.webhook, delivered=180, missed=3, **given))

    store_of(app).session(job)
    return place


def said(page: str) -> str:
    """The visible text."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_webhook_company_month_and_history_show_the_same_account(
    an_outage: Place, beto: Browser
) -> None:
    account = "183 eventos esperaram, 180 entregues, 3 perdidos, 41 ligações"
    month = f"/empresas/company_{an_outage.company}/mes"
    for path in (
        f"/webhooks/webhook_{an_outage.webhook}",
        f"/webhooks/webhook_{an_outage.webhook}/quedas",
        f"/empresas/company_{an_outage.company}",
        month,
    ):
        page = said(beto.get(path).text)
        assert account in page, path
        assert "seu CRM ficou fora" in page or "fora do ar das" in page
        assert "503" in page
    card = beto.get(f"/webhooks/webhook_{an_outage.webhook}").text
    assert "O que o CRM perdeu?" in card
    assert "3 não foram entregues" in card
    assert "Nenhuma queda" not in said(beto.get(month).text)


def test_without_an_outage_the_pages_say_so(app: Flask, place: Place, beto: Browser) -> None:
    assert "O que o CRM perdeu?" not in beto.get(f"/webhooks/webhook_{place.webhook}").text
    assert "Nenhuma queda" in beto.get(f"/webhooks/webhook_{place.webhook}/quedas").text
    for path in ("", "/mes"):
        assert "Nenhuma queda" in beto.get(f"/empresas/company_{place.company}{path}").text
    # One of the other company is not shown.
    given = {"began_at": datetime.now(UTC), "ended_at": None, "settled_at": None}
    store_of(app).session(
        lambda session: session.add(outage(webhook_id=place.other_webhook, **given))
    )
    assert "Nenhuma queda" in beto.get(f"/empresas/company_{place.company}").text


def test_a_list_that_is_cut_says_so(app: Flask, place: Place, beto: Browser) -> None:
    def job(session: Session) -> None:
        for number in range(12):
            began = datetime.now(UTC) - timedelta(minutes=number)
            session.add(outage(webhook_id=place.webhook, began_at=began, ended_at=began))
        session.flush()
        session.execute(text("UPDATE outages SET ended_at = began_at + 1000"))

    store_of(app).session(job)
    page = beto.get(f"/empresas/company_{place.company}").text
    assert page.count("fora do ar") == 10
    assert "Há outras, mais antigas" in page
