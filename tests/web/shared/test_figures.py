"""Hourly counters on the pages: 24 bars, and how long deliveries took."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask

from tests.support.application import application
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import arrived, counted, execute
from webhookproxy.extensions import db
from webhookproxy.web.shared.figures import events_by_name, latency, latency_of, this_hour
from webhookproxy.web.shared.formats import hour


def ended(app: Flask, webhook: int, outcome: str, bucket: int, count: int, ago: int = 0) -> None:
    """So many deliveries of a webhook ended so, an hour or more ago."""
    execute(
        app,
        "INSERT INTO hourly_deliveries (webhook_id, hour, outcome, bucket, count)"
        " VALUES (:webhook, :hour, :outcome, :bucket, :count)",
        webhook=webhook,
        hour=this_hour() - ago,
        outcome=outcome,
        bucket=bucket,
        count=count,
    )


def day_of(page: str) -> str:
    """The part of a page with the bars."""
    found = re.search(r'<h2 class="small-heading">\w+ por hora.*?</section>', page, re.DOTALL)
    assert found, page
    return found[0]


@pytest.mark.parametrize("seed", range(5))
def test_each_percentile_is_within_a_factor_of_two_of_the_exact_one(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    took = sorted(round(dice.lognormvariate(5, 1.2)) for _ in range(3_000))
    found = latency_of(Counter(each.bit_length() for each in took))
    assert found is not None
    for share, estimate in zip((0.5, 0.95, 0.99), found, strict=True):
        exact = took[round(len(took) * share) - 1]
        assert exact / 2 <= estimate <= exact * 2
    assert found.p50 <= found.p95 <= found.p99


def test_an_estimate_is_not_given_more_digits_than_it_has() -> None:
    found = latency_of({11: 100})
    assert found == (1400, 2000, 2000)
    assert latency_of({0: 4}) == (1, 1, 1)
    assert latency_of({}) is None
    assert latency_of({5: 0}) is None


def test_the_latency_of_a_webhook_is_said_with_what_it_means(
    app: Flask, beto: Browser, place: Place
) -> None:
    for bucket, count in ((6, 90), (11, 8), (14, 2)):
        ended(app, place.webhook, "delivered", bucket, count)
    # What was refused, and what ended the day before, tells nothing of today's deliveries.
    ended(app, place.webhook, "refused", 20, 7)
    ended(app, place.webhook, "delivered", 20, 999, ago=24)
    page = beto.get(f"/webhooks/webhook_{place.webhook}").text
    for name, value in (("p50", "47 ms"), ("p95", "1,6 s"), ("p99", "12 s")):
        assert re.search(rf"<dt>{name}</dt><dd><strong>~{value}</strong>", page), name
    assert "o valor exato pode ser de metade ao dobro" in page
    assert "da chegada à resposta" in page


def test_without_deliveries_there_is_no_latency_and_no_empty_graph(
    beto: Browser, place: Place
) -> None:
    page = beto.get(f"/webhooks/webhook_{place.webhook}").text
    assert "sem dados" in page
    assert "<dt>p99</dt>" not in page
    assert "Nenhuma entrega terminou nas últimas 24 horas" in page
    assert "<svg" not in day_of(page)


def test_a_webhook_has_what_was_delivered_and_what_failed_by_the_hour(
    app: Flask, beto: Browser, place: Place
) -> None:
    ended(app, place.webhook, "delivered", 6, 90)
    ended(app, place.webhook, "delivered", 11, 10, ago=23)
    ended(app, place.webhook, "refused", 0, 4)
    ended(app, place.webhook, "expired", 0, 3)
    ended(app, place.webhook, "cancelled", 0, 50)
    ended(app, place.webhook, "delivered", 6, 4_000, ago=24)
    day = day_of(beto.get(f"/webhooks/webhook_{place.webhook}").text)
    assert "107 no total, 7 recusadas ou expiradas" in day
    assert day.count('<rect class="bar"') == 24
    assert re.search(r"entregues</span>.*recusadas ou expiradas</span>", day)
    assert len(re.findall(r"<span>\d\dh</span>", day)) == 6


def test_a_company_has_its_events_and_its_failed_deliveries_by_the_hour(
    app: Flask, beto: Browser, place: Place
) -> None:
    for company, count in ((place.company, 40), (place.other_company, 7_000)):
        arrived(app, company, 2, count)
    ended(app, place.webhook, "refused", 0, 5, ago=1)
    ended(app, place.other_webhook, "refused", 0, 500, ago=1)
    day = day_of(beto.get(f"/empresas/company_{place.company}").text)
    assert "Eventos por hora" in day
    assert "40 no total, 5 entregas recusadas ou expiradas" in day


def test_a_company_without_events_is_told_what_to_do(
    app: Flask, beto: Browser, place: Place
) -> None:
    address = f"/empresas/company_{place.company}"
    assert "Clique em Conectar para receber os desta empresa" in day_of(beto.get(address).text)
    execute(app, "UPDATE companies SET should_connect = :yes", yes=True)
    assert "O primeiro aparece aqui assim que chegar" in day_of(beto.get(address).text)


def test_the_hours_are_those_of_the_companys_clock(app: Flask, beto: Browser, place: Place) -> None:
    execute(app, "UPDATE companies SET timezone = 'Asia/Kolkata'")
    arrived(app, place.company, 0, 3)
    day = day_of(beto.get(f"/empresas/company_{place.company}").text)
    first = (this_hour() - 23) * 3_600_000
    assert f"<span>{hour(first, 'Asia/Kolkata')}</span>" in day
    assert re.search(r"<span>\d\d:30</span>", day)
    assert time.strftime("%H:30:00: 3,", time.gmtime(this_hour() * 3600 + 5 * 3600)) in day


def test_both_databases_add_the_counters_up_alike(database_url: str, tmp_path: Path) -> None:
    with application(database_url, tmp_path) as app:
        now = this_hour()
        counted(app, 1, {now: 3, now - 23: 4, now - 24: 100})
        execute(app, "UPDATE hourly_events SET name = 'y' WHERE hour = :hour", hour=now)
        counted(app, 1, {now: 2})
        counted(app, 2, {now: 50})
        ended(app, 1, "delivered", 6, 90)
        ended(app, 1, "delivered", 11, 10, ago=1)
        with app.app_context():
            assert events_by_name(db.session(), 1, now - 23) == {"x": 6, "y": 3}
            assert latency(db.session(), 1, now - 23) == (47, 1400, 1900)
