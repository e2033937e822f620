"""The findings of a diagnosis: steps with a mark each, and the one that explains the trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """The result of a step."""

    GOOD = "good"
    # Worth knowing, and no trouble.
    NOTE = "note"
    ODD = "odd"
    BAD = "bad"
    # Not checked, or not reached.
    UNKNOWN = "unknown"


# The worst first.
TROUBLES = (Mark.BAD, Mark.ODD)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was checked: what it is, what was found, and what to do about it."""

    mark: Mark
    name: str
    finding: str
    advice: str = ""
    # Where to do it: an address, and the words of the link.
    link: tuple[str, str] | None = None
    # The name of the webhook that the step is about, if it is about one.
    whose: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """The steps about one thing, under a heading; `anchor` is the section's id on the page."""

    anchor: str
    title: str
    steps: Sequence[Step]
    about: str = ""


def explanation(steps: Sequence[Step]) -> Step | None:
    """Return the first step that explains why events do not arrive; None if none does."""
    for mark in TROUBLES:
        for step in steps:
            if step.mark is mark:
                return step
    return None
