"""What a diagnosis found: steps with a mark each, and the one that explains the trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a step came out."""

    GOOD = "good"
    # Worth knowing, and no trouble.
    NOTE = "note"
    ODD = "odd"
    BAD = "bad"
    # Not looked at, or not come to.
    UNKNOWN = "unknown"


# The worst first.
TROUBLES = (Mark.BAD, Mark.ODD)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: what it is, what was found, and what to do about it."""

    mark: Mark
    name: str
    finding: str
    advice: str = ""
    # Where that is done: an address, and the words of the link.
    link: tuple[str, str] | None = None
    # The name of the webhook that it is about, if it is about one.
    whose: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """The steps about one thing, under a heading; `anchor` is the part's id on the page."""

    anchor: str
    title: str
    steps: Sequence[Step]
    about: str = ""


def explanation(steps: Sequence[Step]) -> Step | None:
    """The first step that explains why something does not arrive; None if none does."""
    for mark in TROUBLES:
        for step in steps:
            if step.mark is mark:
                return step
    return None
