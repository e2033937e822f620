"""How long deliveries took in each hour, as two lines: p50 and p95."""

from __future__ import annotations

import math
from collections.abc import Mapping

from webhookproxy.events.silence import HOUR_SECONDS
from webhookproxy.web.charts.chart import Chart, Slot, share
from webhookproxy.web.charts.hours import HOURS, Place
from webhookproxy.web.shared.figures import Latency, this_hour
from webhookproxy.web.shared.formats import duration


def latency_chart(found: Mapping[int, Latency], place: Place) -> Chart:
    """Return the lines of the last 24 hours.

    The axis is logarithmic: an outage of minutes must not make milliseconds a flat line.
    """
    now = this_hour()
    hours = range(now - HOURS + 1, now + 1)
    shown = [found[hour] for hour in hours if hour in found]
    top = max((each.p95 for each in shown), default=1)
    slots = [_slot(hour, found.get(hour), top, place) for hour in hours]
    return Chart(
        id="latencia",
        title="Da chegada do evento à resposta",
        total="o tempo de metade (p50) e de 95 de cada 100 (p95)",
        colours=[("blue", "p50"), ("amber", "p95")],
        slots=slots,
        seconds=HOUR_SECONDS,
        top=f"~{duration(top)}",
        bottom="1 ms",
        has_lines=True,
    )


def _slot(hour: int, each: Latency | None, top: int, place: Place) -> Slot:
    began = hour * HOUR_SECONDS
    if each is None:
        return Slot(began, "nenhuma entrega")
    heights = tuple(share(math.log1p(value), math.log1p(top)) for value in (each.p50, each.p95))
    words = f"p50 ~{duration(each.p50)}, p95 ~{duration(each.p95)}"
    return Slot(began, words, heights, place(hour))
