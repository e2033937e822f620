"""Tells what a server sends again from what it sends for the first time.

The server sends what came after one event, each time that it is asked: in the same order, and
beginning at the same place. Texts may repeat byte for byte, so only the order tells them apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import Enum


class Replayed(Enum):
    """What an event is that a server sends because it was missed."""

    NEW = "new"
    KNOWN = "known"
    # It may have been taken before: the texts do not say.
    DOUBTFUL = "doubtful"


class Replay:
    """The events that were taken after the one that the server is asked from, in order."""

    def __init__(self, taken: Iterable[Hashable] = ()) -> None:
        self._taken = list(taken)
        # How many of these the server has sent this time, and whether they were the same.
        self._at = 0
        self._is_same = True

    def __len__(self) -> int:
        return len(self._taken)

    def begin(self) -> None:
        """Expect everything again, as the server is asked again."""
        self._at, self._is_same = 0, True

    def clear(self) -> None:
        """Forget everything: the server is asked from a later event on."""
        self._taken.clear()
        self.begin()

    def take(self, event: Hashable) -> Replayed:
        """Take the next event.

        What was taken comes first. Where it does not, an event is kept rather than dropped.
        """
        at, self._at = self._at, self._at + 1
        if at >= len(self._taken):
            self._taken.append(event)
            return Replayed.NEW
        self._is_same = self._is_same and self._taken[at] == event
        self._taken[at] = event
        return Replayed.KNOWN if self._is_same else Replayed.DOUBTFUL
