"""A call drawn: one line in time, its events as points, each webhook's answer below its event.

A line of a phone has room for ROW_MAX points that a finger can touch; more events go on in a next
line. The distances of a line are its times to one scale, but for a minimum: otherwise the first
second of a long call would be one point. A time that is said needs room for its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from webhookproxy.web.events.arrivals import Arrival, Due
from webhookproxy.web.events.words import lapse

ROW_MAX = 12
# Webhooks of a line; the answers of others are only in the list below it.
LANES_MAX = 6
# In percent of the width.
SLOT = 100 / ROW_MAX
LABEL_APART = 17.0
# A line of a phone, a character of the words between two points, and the points' own room. In
# pixels.
_PHONE, _CHARACTER, _POINTS = 318, 5.7, 24
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
    """An event: its number in the list, its place in percent of the width, and its answers.

    `since` is the time since the event before it, "" for the first of all.
    """

    number: int
    event: Arrival
    x: float
    is_labelled: bool
    marks: tuple[Mark, ...]
    since: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing; `lanes` are the webhooks' names with their places.

    `lapses` are the times between two points, each with its place in percent, where they fit.
    """

    points: tuple[Point, ...]
    lanes: tuple[tuple[str, int], ...]
    height: int
    left_out: int
    lapses: tuple[tuple[float, str], ...]


def draw(events: Sequence[Arrival]) -> list[Row]:
    """Return the drawing of these events, the first one first."""
    times = [event.received_ms for event in events]
    since = ["", *(lapse(later - earlier) for earlier, later in pairwise(times))]
    return [
        _row(events[begin : begin + ROW_MAX], since[begin : begin + ROW_MAX], begin)
        for begin in range(0, len(events), ROW_MAX)
    ]


def _row(events: Sequence[Arrival], since: Sequence[str], before: int) -> Row:
    names = list(dict.fromkeys(due.webhook for event in events for due in event.dues))
    lanes = {
        name: FIRST_LANE_Y + LANE_HEIGHT * number for number, name in enumerate(names[:LANES_MAX])
    }
    points: list[Point] = []
    labelled = -LABEL_APART
    drawn = zip(events, places(events), since, strict=True)
    for number, (event, x, waited) in enumerate(drawn, before + 1):
        is_labelled = x - labelled >= LABEL_APART
        labelled = x if is_labelled else labelled
        marks = tuple(Mark(due, lanes[due.webhook]) for due in event.dues if due.webhook in lanes)
        points.append(Point(number, event, x, is_labelled, marks, waited))
    height = FIRST_LANE_Y + LANE_HEIGHT * len(lanes) - ABOVE_A_LANE
    left_out = max(0, len(names) - LANES_MAX)
    return Row(tuple(points), tuple(lanes.items()), height, left_out, tuple(_lapses(points)))


def _lapses(points: Sequence[Point]) -> Iterator[tuple[float, str]]:
    """Yield the place and the words of each time that fits between its points."""
    for earlier, later in pairwise(points):
        room = (later.x - earlier.x) / 100 * _PHONE - _POINTS
        gap = later.event.received_ms - earlier.event.received_ms
        for words in (later.since, _short(gap)):
            if len(words) * _CHARACTER <= room:
                yield round((earlier.x + later.x) / 2, 2), words
                break


def _short(milliseconds: int) -> str:
    """Return a time without its smaller part: "39 s" for "38,8 s", "3 min" for "3 min 20 s"."""
    seconds = round(milliseconds / 1000)
    return f"{seconds} s" if 1 <= seconds < 60 else " ".join(lapse(milliseconds).split()[:2])


def places(events: Sequence[Arrival]) -> list[float]:
    """Return each event's place in percent: a slot at least from the one before it."""
    times = [event.received_ms for event in events]
    gaps = [max(0, later - earlier) for earlier, later in pairwise(times)]
    found = [SLOT / 2]
    for distance in _distances(gaps, 100 - SLOT):
        found.append(found[-1] + distance)
    return [round(x, 2) for x in found]


def _distances(gaps: Sequence[int], room: float) -> list[float]:
    """Share the room out by the gaps, with a minimum for each: few points get room for words."""
    least = max(SLOT, min(LABEL_APART, room / 2 / len(gaps))) if gaps else SLOT
    # Those that get the minimum make the scale of the others smaller, so more may need it.
    short: set[int] = set()
    while True:
        long = [number for number in range(len(gaps)) if number not in short]
        total = sum(gaps[number] for number in long)
        scale = (room - least * len(short)) / total if total else 0.0
        found = {number for number in long if gaps[number] * scale < least}
        if not found:
            return [least if number in short else gap * scale for number, gap in enumerate(gaps)]
        short |= found
