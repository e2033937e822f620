"""How long deliveries took over time, as two lines: p50 and p95."""

from __future__ import annotations

import math
from collections.abc import Mapping

from webhookproxy.web.charts.chart import Chart, Slot, share
from webhookproxy.web.charts.counts import Place
from webhookproxy.web.charts.windows import Window
from webhookproxy.web.shared.figures import Latency
from webhookproxy.web.shared.formats import duration


def latency_chart(window: Window, found: Mapping[int, Latency], place: Place) -> Chart:
    """Return the lines of a window; `found` is by the slot's number.

    The axis is logarithmic: an outage of minutes must not make milliseconds a flat line.
    """
    numbers = window.slots()
    shown = [found[number] for number in numbers if number in found]
    top = max((each.p95 for each in shown), default=1)
    slots = [
        _slot(number * window.seconds, found.get(number), top, place(number)) for number in numbers
    ]
    return Chart(
        id="latencia",
        title="Da chegada do evento à resposta",
        total="o tempo de metade (p50) e de 95 de cada 100 (p95)",
        colours=[("blue", "p50"), ("amber", "p95")],
        slots=slots,
        seconds=window.seconds,
        top=f"~{duration(top)}",
        bottom="1 ms",
        has_lines=True,
    )


def _slot(began: int, each: Latency | None, top: int, place: str) -> Slot:
    if each is None:
        return Slot(began, "nenhuma entrega")
    heights = tuple(share(math.log1p(value), math.log1p(top)) for value in (each.p50, each.p95))
    words = f"p50 ~{duration(each.p50)}, p95 ~{duration(each.p95)}"
    return Slot(began, words, heights, place)
