"""A call drawn: one line in time, its events as points, each webhook's answer below its event.

A line of a phone has room for ROW_MAX points that a finger can touch; more events go on in a next
line. Between two points the distance grows with the time, but not in proportion: otherwise the
first second of a long call would be one point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log1p

from webhookproxy.web.events.arrivals import Arrival, Due

ROW_MAX = 12
# Webhooks of a line; the answers of others are only in the list below it.
LANES_MAX = 6
# In percent of the width.
SLOT = 100 / ROW_MAX
LABEL_APART = 17.0
# In pixels: the first webhook's line, and from one to the next.
FIRST_LANE_Y, LANE_HEIGHT = 92, 48
# The last webhook has nothing below it but the words of the point that is looked at.
ABOVE_A_LANE = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """A webhook's answer to an event."""

    due: Due
    y: int


@dataclass(frozen=True, slots=True)
class Point:
    """An event: its number in the list, its place in percent of the width, and its answers."""

    number: int
    event: Arrival
    x: float
    is_labelled: bool
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing; `lanes` are the webhooks' names with their places."""

    points: tuple[Point, ...]
    lanes: tuple[tuple[str, int], ...]
    height: int
    left_out: int


def draw(events: Sequence[Arrival]) -> list[Row]:
    """Return the drawing of these events, the first one first."""
    return [
        _row(events[begin : begin + ROW_MAX], begin) for begin in range(0, len(events), ROW_MAX)
    ]


def _row(events: Sequence[Arrival], before: int) -> Row:
    names = list(dict.fromkeys(due.webhook for event in events for due in event.dues))
    lanes = {
        name: FIRST_LANE_Y + LANE_HEIGHT * number for number, name in enumerate(names[:LANES_MAX])
    }
    points: list[Point] = []
    labelled = -LABEL_APART
    for number, (event, x) in enumerate(zip(events, places(events), strict=True), before + 1):
        is_labelled = x - labelled >= LABEL_APART
        labelled = x if is_labelled else labelled
        marks = tuple(Mark(due, lanes[due.webhook]) for due in event.dues if due.webhook in lanes)
        points.append(Point(number, event, x, is_labelled, marks))
    height = FIRST_LANE_Y + LANE_HEIGHT * len(lanes) - ABOVE_A_LANE
    return Row(tuple(points), tuple(lanes.items()), height, max(0, len(names) - LANES_MAX))


def places(events: Sequence[Arrival]) -> list[float]:
    """Return each event's place in percent: a slot at least from the one before it."""
    times = [event.received_ms for event in events]
    gaps = [log1p(max(0, later - earlier) / 1000) for earlier, later in pairwise(times)]
    spare, total = 100 - SLOT * len(events), sum(gaps)
    found = [SLOT / 2]
    for gap in gaps:
        found.append(found[-1] + SLOT + (spare * gap / total if total else 0))
    return [round(x, 2) for x in found]
