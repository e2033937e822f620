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
    found = re.search(r'<h2 class="small-heading">Últimas 24 horas.*?</section>', page, re.DOTALL)
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
    assert "Nenhuma entrega terminou neste período" in page
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
    ended(app, place.webhook, "failed", 0, 12)
    day = day_of(beto.get(f"/webhooks/webhook_{place.webhook}").text)
    assert charts_of(day) == {
        "Entregues": "100 entregues",
        "Recusadas ou expiradas": "7 recusadas ou expiradas",
        "Tentativas que falharam": "12 tentativas que falharam",
        "Da chegada do evento à resposta": "o tempo de metade (p50) e de 95 de cada 100 (p95)",
    }
    # Hours without any have no bar; each bar leads to the deliveries of its hour.
    assert day.count('<rect class="bar is-blue"') == 2
    assert day.count('<rect class="bar is-red"') == 2
    hook = f"webhook_{place.webhook}"
    for outcome in ("entregue", "falhou"):
        address = f"/entregas?webhook={hook}&amp;estado={outcome}&amp;periodo=h{this_hour()}"
        assert f'href="{address}"' in day
        beto.get(address.replace("&amp;", "&"))
    assert len(re.findall(r"<span>\d\dh</span>", day)) == 4 * 6


def charts_of(part: str) -> dict[str, str]:
    """The title of each chart, and its total."""
    pattern = r'<figcaption><strong>(.*?)</strong> <span class="plot-words"[^>]*>(.*?)</span>'
    return dict(re.findall(pattern, part))


def test_the_axis_of_a_chart_ends_at_its_highest_bar(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrived(app, place.company, 2, 1_234)
    arrived(app, place.company, 3, 617)
    day = day_of(beto.get(f"/empresas/company_{place.company}").text)
    assert "<span>1.234</span><span>0</span>" in day
    assert re.findall(r'y="([\d.]+)" width="14" height="([\d.]+)"', day) == [
        ("50.0", "50.0"),
        ("0.0", "100.0"),
    ]
    assert re.search(r'aria-label="(\d\d/\d\d, )?das \d\dh às \d\dh: 1.234 eventos"', day)


def test_a_latency_is_two_lines_and_a_lone_hour_is_a_point(
    app: Flask, beto: Browser, place: Place
) -> None:
    for ago in (9, 3, 2):
        ended(app, place.webhook, "delivered", 6, 90, ago=ago)
        ended(app, place.webhook, "delivered", 11, 10, ago=ago)
    day = day_of(beto.get(f"/webhooks/webhook_{place.webhook}").text)
    assert len(re.findall(r'class="line is-blue" d="M\d+ [\d.]+h.01"', day)) == 1
    assert len(re.findall(r'class="line is-amber" d="M\d+ [\d.]+L\d+ [\d.]+"', day)) == 1
    assert re.search(r": p50 ~\d+ ms, p95 ~1,4 s", day)


def test_a_company_has_its_events_and_its_failed_attempts_by_the_hour(
    app: Flask, beto: Browser, place: Place
) -> None:
    for company, count in ((place.company, 40), (place.other_company, 7_000)):
        arrived(app, company, 2, count)
    ended(app, place.webhook, "failed", 0, 5, ago=1)
    ended(app, place.other_webhook, "failed", 0, 500, ago=1)
    day = day_of(beto.get(f"/empresas/company_{place.company}").text)
    assert charts_of(day) == {
        "Eventos": "40 eventos",
        "Tentativas que falharam": "5 tentativas que falharam",
    }


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
    begins = time.strftime("%H:30", time.gmtime(this_hour() * 3600 + 5 * 3600))
    assert re.search(rf"das {begins} às \d\d:30: 3 eventos", day)


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


def test_an_hour_is_drawn_by_the_minute(app: Flask, beto: Browser, place: Place) -> None:
    now = int(time.time()) // 60
    for owner, series, ago, bucket, count in (
        (place.company, "events", 5, 0, 40),
        (place.company, "events", 61, 0, 7_000),
        (place.webhook, "delivered", 5, 6, 30),
        (place.webhook, "failed", 4, 0, 3),
    ):
        execute(
            app,
            "INSERT INTO minute_counts VALUES (:owner, :series, :minute, :bucket, :count)",
            owner=owner,
            series=series,
            minute=now - ago,
            bucket=bucket,
            count=count,
        )
    page = beto.get(f"/empresas/company_{place.company}?janela=1h").text
    assert "Última hora, por minuto" in page
    assert charts_of(page) == {
        "Eventos": "40 eventos",
        "Tentativas que falharam": "3 tentativas que falharam",
    }
    assert "/ao-vivo?janela=1h" in page
    address = f"/eventos?empresa=company_{place.company}&amp;periodo=m{now - 5}"
    assert f'href="{address}"' in page
    beto.get(address.replace("&amp;", "&"))
    hook = beto.get(f"/webhooks/webhook_{place.webhook}?janela=1h").text
    assert charts_of(hook)["Entregues"] == "30 entregues"
    assert re.search(r": p50 ~\d+ ms, p95 ~\d+ ms", hook)
    assert "40 eventos" in beto.get("/?janela=1h").text
    beto.get("/?janela=2h", 404)
