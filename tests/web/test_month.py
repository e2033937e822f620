"""A company's month: what its page says, of which hours, and to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from time_machine import Traveller, travel

from tests.support.application import make_company, make_webhook, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.database import clock
from webhookproxy.extensions import db
from webhookproxy.models import Company, Gap
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.web.month import figures as month_figures
from webhookproxy.web.month import page as month
from webhookproxy.web.month import uptime as month_uptime
from webhookproxy.web.month.period import Month
from webhookproxy.web.month.uptime import uptime

ZONE = "America/Sao_Paulo"
# Noon in Brasília, in the middle of November.
NOW = datetime(2026, 11, 15, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def november(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traveller]:
    """The time, standing."""
    # PostgreSQL's own does not stand.
    monkeypatch.setattr(clock, "look", lambda *_: None)
    with travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def either(any_app: Flask) -> Flask:
    """An application on each kind of database."""
    return any_app


def put(app: Flask, statement: str, *rows: Mapping[str, object]) -> None:
    store_of(app).run(lambda connection: connection.execute(text(statement), list(rows)) and None)


def came(app: Flask, company: int, at: datetime, name: str, count: int) -> None:
    """Count `count` events in that hour."""
    values = {"company": company, "hour": to_ms(at) // 3_600_000, "name": name, "count": count}
    put(app, "INSERT INTO hourly_events VALUES (:company, :hour, :name, :count)", values)


def ended(app: Flask, webhook: int, at: datetime, outcome: str, bucket: int, count: int) -> None:
    """So many deliveries ended so in that hour."""
    values = {"hour": to_ms(at) // 3_600_000, "outcome": outcome, "bucket": bucket, "n": count}
    statement = "INSERT INTO hourly_deliveries VALUES (:webhook, :hour, :outcome, :bucket, :n)"
    put(app, statement, {"webhook": webhook, **values})


def gap(app: Flask, company: int, began: datetime, lasted: timedelta | None) -> None:
    """There was no socket for that long, or there still is none."""
    over = None if lasted is None else began + lasted
    given = Gap(company_id=company, started_at=began, ended_at=over, reason="dropped")
    store_of(app).session(lambda session: session.add(given))


def born(app: Flask, company: int, at: datetime) -> None:
    """The company was made then."""
    values = {"at": to_ms(at), "id": company}
    put(app, "UPDATE companies SET created_at = :at WHERE id = :id", values)


def switched(app: Flask, company: int, at: datetime, action: Action) -> None:
    """Write that a user switched the connection then."""

    def job(session: Session) -> None:
        with travel(at, tick=False):
            record(session, CLI, action, company_id=company)
            session.flush()

    store_of(app).session(job)


def test_a_day_is_the_companys_and_not_utcs(either: Flask) -> None:
    company = make_company(either)
    # 23:30 of October 31st there is November already in UTC.
    came(either, company, datetime(2026, 11, 1, 2, 30, tzinfo=UTC), "call-was-created", 5)
    came(either, company, datetime(2026, 11, 1, 3, tzinfo=UTC), "call-was-created", 7)
    came(either, company, datetime(2026, 11, 3, 2, tzinfo=UTC), "agent-is-idle", 11)
    with either.app_context():
        found = month_figures.arrivals_in(db.session(), company, Month(2026, 11, ZONE))
        before = month_figures.arrivals_in(db.session(), company, Month(2026, 10, ZONE))
    days = {day.day: count for day, count in found.days if count}
    assert (days, found.total, before.total) == ({1: 7, 2: 11}, 18, 5)
    assert found.names == [("agent-is-idle", 11), ("call-was-created", 7)]
    assert [len(found.days), len(before.days)] == [15, 31]


def test_deliveries_are_counted_by_how_they_ended(either: Flask) -> None:
    company = make_company(either)
    webhook = make_webhook(either, company, "http://127.0.0.1:9999/crm")
    for outcome, bucket, count in (("delivered", 6, 90), ("delivered", 9, 10), ("refused", 9, 4)):
        ended(either, webhook, NOW, outcome, bucket, count)
    ended(either, webhook, NOW - timedelta(days=20), "delivered", 6, 1000)
    with either.app_context():
        webhooks = live_webhooks(db.session(), [company])
        (found,) = month_figures.ended_in(db.session(), webhooks, Month(2026, 11, ZONE))
    assert (found.counts["delivered"], found.failed) == (100, 4)
    assert found.latency is not None
    assert 32 <= found.latency.p50 <= 64
    assert 256 <= found.latency.p99 <= 512


@pytest.mark.parametrize(
    ("lasted", "share"),
    [(None, 99.66), (timedelta(0), 100.0), (timedelta(seconds=1), 99.99), (HOUR, 99.66)],
)
def test_uptime_is_of_the_time_in_which_a_socket_was_wished(
    either: Flask, lasted: timedelta | None, share: float
) -> None:
    company = make_company(either, connected=True)
    month = Month(2026, 11, ZONE)
    born(either, company, month.begins - timedelta(days=90))
    # Off from the second half of the 13th day on: what is missing then does not count.
    switched(either, company, month.begins - timedelta(days=80), Action.CONNECT)
    switched(either, company, month.begins + timedelta(days=12.5), Action.DISCONNECT)
    gap(either, company, month.begins - 5 * HOUR, 5 * HOUR)
    if lasted is None:
        gap(either, company, month.begins + timedelta(days=12.5) - HOUR, None)
    else:
        gap(either, company, month.begins + HOUR, lasted)
    with either.app_context():
        session = db.session()
        stored = session.get_one(Company, company)
        found = uptime(session, stored, month.begins, NOW)
    assert found.wished == timedelta(days=12.5)
    assert found.share == share


def test_a_company_that_nobody_connected_has_no_uptime(place: Place, ana: Browser) -> None:
    page = ana.get(f"/empresas/company_{place.company}/mes").text
    assert "A conexão ficou desligada" in page
    assert "Nenhum evento chegou neste mês." in page


def test_the_page_sums_the_month_up_in_its_first_sentence(
    app: Flask, place: Place, beto: Browser
) -> None:
    born(app, place.company, NOW - timedelta(days=60))
    put(app, "UPDATE companies SET should_connect = :yes", {"yes": True})
    gap(app, place.company, NOW - 3 * HOUR, timedelta(minutes=3, seconds=20))
    came(app, place.company, NOW, "call-was-created", 1234)
    ended(app, place.webhook, NOW, "delivered", 6, 1200)
    ended(app, place.webhook, NOW, "expired", 9, 1)
    page = " ".join(beto.get(f"/empresas/company_{place.company}/mes?mes=2026-11").text.split())
    assert (
        "Conectada 99,98% do tempo em que esteve ligada; 1.234 eventos recebidos;"
        " 1.200 entregas aceitas, 1 recusada ou expirada; metade chegou em até ~" in page
    )
    assert "3 min 20 s" in page
    assert "mês em andamento" in page
    assert "A conexão com a 3C Plus caiu." in page
    assert f"/empresas/company_{place.company}/mes?mes=2026-10" in page
    assert "mes=2026-12" not in page


def test_the_uptime_is_said_with_and_without_what_came_back(
    app: Flask, place: Place, beto: Browser
) -> None:
    born(app, place.company, NOW - timedelta(days=60))
    put(app, "UPDATE companies SET should_connect = :yes", {"yes": True})
    for hours in (9, 6, 3):
        gap(app, place.company, NOW - hours * HOUR, HOUR)
    # Two requests that touch cover the first gap; of the second one not everything was asked for.
    asked = ((9.0, 0.5, "finished"), (8.5, 0.5, "finished"), (6.0, 1.0, "stopped"))
    for ago, lasted, state in asked:
        since = NOW - ago * HOUR
        values = {"company": place.company, "state": state, "since": to_ms(since)}
        put(
            app,
            "INSERT INTO recoveries (company_id, asked_ms, since_ms, until_ms, state, next_ms,"
            " recovered) VALUES (:company, 1, :since, :until, :state, 1, 37)",
            {**values, "until": to_ms(since + lasted * HOUR)},
        )
    page = " ".join(beto.get(f"/empresas/company_{place.company}/mes").text.split())
    assert "Conectada 99,13% do tempo em que esteve ligada (99,42% contando as lacunas" in page
    assert "De 1 h desse tempo sem socket as ligações foram recuperadas depois" in page
    assert "37 ligações recuperadas, e paramos de perguntar." in page


def test_a_gap_whose_events_the_server_sent_again_is_no_loss_of_the_month(
    app: Flask, place: Place, beto: Browser
) -> None:
    born(app, place.company, NOW - timedelta(days=60))
    put(app, "UPDATE companies SET should_connect = :yes", {"yes": True})
    gap(app, place.company, NOW - 9 * HOUR, HOUR)
    put(app, "UPDATE gaps SET recovered = :yes", {"yes": True})
    gap(app, place.company, NOW - 6 * HOUR, HOUR)
    page = " ".join(beto.get(f"/empresas/company_{place.company}/mes").text.split())
    said = "Conectada 99,42% do tempo em que esteve ligada (99,71% contando as lacunas cujos"
    assert f"{said} eventos a 3C Plus reenviou);" in page
    assert "De 1 h desse tempo sem socket a 3C Plus reenviou todos os eventos: nenhum" in page
    assert "não voltam" not in page


def test_a_month_with_more_gaps_than_are_counted_says_so(
    app: Flask, place: Place, beto: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month, "GAPS_SHOWN", 1)
    monkeypatch.setattr(month_uptime, "GAPS_MAX", 2)
    born(app, place.company, NOW - timedelta(days=60))
    put(app, "UPDATE companies SET should_connect = :yes", {"yes": True})
    address = f"/empresas/company_{place.company}/mes"
    for hours in (9, 6):
        gap(app, place.company, NOW - hours * HOUR, HOUR)
    assert "Houve outras depois dessas" not in beto.get(address).text
    gap(app, place.company, NOW - 3 * HOUR, HOUR)
    page = beto.get(address).text
    assert "Houve outras depois dessas" in page
    assert "sem socket, nesse tempo, por 2 h." in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [("2025-01", "Antes do cadastro da empresa"), ("2026-12", "Este mês ainda não começou")],
)
def test_a_month_without_numbers_says_why(
    place: Place, beto: Browser, asked: str, said: str
) -> None:
    assert said in beto.get(f"/empresas/company_{place.company}/mes?mes={asked}").text


@pytest.mark.parametrize("asked", ["2026-13", "2026-00", "novembro", "1999-01", "2026-1", "-"])
def test_what_is_no_month_is_no_page(place: Place, beto: Browser, asked: str) -> None:
    beto.get(f"/empresas/company_{place.company}/mes?mes={asked}", status=404)


def test_another_companys_month_is_no_page(place: Place, carla: Browser) -> None:
    carla.get(f"/empresas/company_{place.company}/mes", status=404)
