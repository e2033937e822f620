"""The charts of the pages: what is drawn, and where each bar leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import url_for

from webhookproxy.models.deliveries.tables import FAILED_ATTEMPT
from webhookproxy.web.charts.chart import Chart
from webhookproxy.web.charts.counts import (
    DELIVERED,
    EVENTS,
    FAILED_ATTEMPTS,
    NOT_DELIVERED,
    Place,
    bars,
    count_chart,
)
from webhookproxy.web.charts.latency import latency_chart
from webhookproxy.web.charts.windows import Ended, Window
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.address import day_period
from webhookproxy.web.shared.figures import Latency

DAY_SECONDS = 86_400


def arrival_charts(
    window: Window, events: Mapping[int, int], ended: Ended, company_id: int | None = None
) -> list[Chart]:
    """Return the events that came, and the attempts that failed: of a company, or of all."""
    of = None if company_id is None else f"company_{company_id}"
    return [
        count_chart(EVENTS, window, events, _place(window, "events.index", empresa=of)),
        count_chart(
            FAILED_ATTEMPTS,
            window,
            figures.by_hour(ended, {FAILED_ATTEMPT}),
            _place(window, "deliveries.index", empresa=of),
        ),
    ]


def delivery_charts(
    window: Window, ended: Ended, latency: Mapping[int, Latency], webhook_id: int
) -> list[Chart]:
    """Return how the deliveries of a webhook ended, its failed attempts, and how long it took."""
    of = f"webhook_{webhook_id}"
    arrived = _place(window, "deliveries.index", webhook=of, estado="entregue")
    lost = _place(window, "deliveries.index", webhook=of, estado="falhou")
    every = _place(window, "deliveries.index", webhook=of)
    return [
        count_chart(DELIVERED, window, figures.by_hour(ended, {"delivered"}), arrived),
        count_chart(NOT_DELIVERED, window, figures.by_hour(ended, figures.FAILED), lost),
        count_chart(FAILED_ATTEMPTS, window, figures.by_hour(ended, {FAILED_ATTEMPT}), every),
        latency_chart(window, latency, arrived),
    ]


def days_chart(days: Sequence[tuple[date, int]], timezone: str, company_id: int | None) -> Chart:
    """Return the events of each of these days; without links if there is no company."""
    zone, of = ZoneInfo(timezone), f"company_{company_id}"
    rows = [
        (
            int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()),
            count,
            url_for("events.index", empresa=of, periodo=day_period(day)) if company_id else "",
        )
        for day, count in days
    ]
    return bars(EVENTS, rows, DAY_SECONDS)


def _place(window: Window, endpoint: str, **given: Any) -> Place:
    return lambda slot: url_for(endpoint, **given, periodo=f"{window.letter}{slot}")
