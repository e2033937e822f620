"""Finds where what a newer socket brought goes on from what an older one brought.

Each socket brings a stretch of what was emitted, in order and without holes. The newer one was
opened before the older one was closed, so the last events of the older are the first of the newer:
how many, this module finds out. Texts may repeat byte for byte, so a set of texts seen would lose
honest repeats. No clock decides anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Join:
    """How many events of the newer socket the older one brought too.

    `doubtful` counts the events after these that may be repeats: the texts allow both.
    """

    known: int
    doubtful: int = 0


def join(older: Sequence[Hashable], newer: Sequence[Hashable], least: int = 0) -> Join:
    """Return how the stretch of the newer socket goes on from that of the older one.

    `least` is how many events of the newer socket the older one must have brought: it was open
    for longer. Where several answers fit, an event is kept rather than dropped. With 0 nothing is
    known of the older socket, as after its owner was killed: then a text that both have once
    counts as one event.
    """
    lengths = [each for each in _overlaps(older, newer) if each >= least]
    if not lengths:
        # One of the sockets did not bring what it had to: nothing is known, so all is kept.
        return Join(0, min(least, len(newer)))
    best = lengths[0] if least else _evident(older, newer, lengths)
    return Join(best, lengths[-1] - best)


def is_known(newer: Sequence[Hashable]) -> bool:
    """Return whether a text occurs once in these: then an overlap with them all is certain."""
    return 1 in Counter(newer).values()


def _evident(older: Sequence[Hashable], newer: Sequence[Hashable], lengths: list[int]) -> int:
    """Return the smallest overlap with a text that both sides have once; 0 if there is none."""
    here, there = Counter(older), Counter(newer)
    once = {each for each, count in there.items() if count == 1 and here[each] == 1}
    first = next((at for at, each in enumerate(newer) if each in once), None)
    if first is None:
        return 0
    return next((each for each in lengths if each > first), 0)


def _overlaps(older: Sequence[Hashable], newer: Sequence[Hashable]) -> list[int]:
    """Return each number of events, ascending and with 0, that can be an overlap's length.

    The end of `older` is then the beginning of `newer`. Takes time in proportion to both, by the
    table of Knuth, Morris and Pratt.
    """
    # The table of `newer` alone, then `older` is run through it.
    table = [0] * (len(newer) + 1)
    length = 0
    for at in range(1, len(newer)):
        while length and newer[at] != newer[length]:
            length = table[length]
        length += newer[at] == newer[length]
        table[at + 1] = length
    length = 0
    for each in older:
        if length == len(newer):
            length = table[length]
        while length and each != newer[length]:
            length = table[length]
        length += bool(newer) and each == newer[length]
    found = [0]
    while length:
        found.append(length)
        length = table[length]
    return sorted(found)
