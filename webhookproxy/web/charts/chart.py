"""A chart as the template draws it: slots of time, each with its values, words and link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Of the height of a chart, in percent: so small a value is drawn all the same.
LEAST = 2.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time: `heights` in percent (none: nothing is drawn), and its values in words.

    `place` leads to what was counted; "" if nothing was.
    """

    began: int
    words: str
    heights: tuple[float, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Slots of equal length in seconds, the oldest first.

    `colours` has the colour and the name of each value, `top` and `bottom` are the ends of the
    axis in words, and `total` is what a reader should know of all of them. Lines connect the
    values of slots that follow each other; otherwise each value is a bar.
    """

    id: str
    title: str
    total: str
    colours: Sequence[tuple[str, str]]
    slots: Sequence[Slot]
    seconds: int
    top: str
    bottom: str = "0"
    has_lines: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is drawn."""
        return not any(slot.heights for slot in self.slots)

    def lines(self) -> list[tuple[str, list[list[tuple[int, float]]]]]:
        """Return for each value its colour and its lines, as points: a slot and a height."""
        return [
            (colour, _unbroken([slot.heights[at : at + 1] for slot in self.slots]))
            for at, (colour, _) in enumerate(self.colours)
        ]


def share(value: float, top: float) -> float:
    """Return the height of a bar."""
    return max(LEAST, round(value / top * 100, 1))


def _unbroken(heights: Sequence[tuple[float, ...]]) -> list[list[tuple[int, float]]]:
    """Return the stretches without an empty slot."""
    found: list[list[tuple[int, float]]] = []
    for at, height in enumerate(heights):
        if not height:
            continue
        if not (found and found[-1][-1][0] == at - 1):
            found.append([])
        found[-1].append((at, height[0]))
    return found
