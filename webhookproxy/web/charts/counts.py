"""Counts over time, as bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webhookproxy.web.charts.chart import Chart, Slot, share
from webhookproxy.web.charts.windows import Window
from webhookproxy.web.shared.formats import number, plural

# From a slot's number to the address of what was counted in it.
Place = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is counted: an id for the chart, its title, its colour, one of it and many of it."""

    id: str
    title: str
    colour: str
    one: str
    many: str


EVENTS = Kind("eventos", "Eventos", "blue", "evento", "eventos")
DELIVERED = Kind("entregues", "Entregues", "blue", "entregue", "entregues")
NOT_DELIVERED = Kind(
    "perdidas",
    "Recusadas ou expiradas",
    "red",
    "recusada ou expirada",
    "recusadas ou expiradas",
)
FAILED_ATTEMPTS = Kind(
    "tentativas",
    "Tentativas que falharam",
    "red",
    "tentativa que falhou",
    "tentativas que falharam",
)


def count_chart(kind: Kind, window: Window, counts: Mapping[int, int], place: Place) -> Chart:
    """Return a bar for each slot of a window; `counts` are by the slot's number."""
    rows = [(slot * window.seconds, counts.get(slot, 0), place(slot)) for slot in window.slots()]
    return bars(kind, rows, window.seconds)


def bars(kind: Kind, rows: Sequence[tuple[int, int, str]], seconds: int) -> Chart:
    """Return a bar for each row: when it began, how many there were, the address of those."""
    top = max((count for _, count, _ in rows), default=0)
    slots = [
        Slot(began, plural(count, kind.one, kind.many), (share(count, top),), place)
        if count
        else Slot(began, plural(0, kind.one, kind.many))
        for began, count, place in rows
    ]
    total = plural(sum(count for _, count, _ in rows), kind.one, kind.many)
    return Chart(
        kind.id, kind.title, total, [(kind.colour, kind.many)], slots, seconds, number(top)
    )
