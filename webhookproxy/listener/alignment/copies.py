"""The events of one text that two sockets brought: how many there were, and how far each socket is.

Events with the same text cannot be told apart, so they are counted. They are numbered in the order
in which they were emitted; the first `stored` of them are known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """How far one socket is in the events of one text.

    Of the events before the first one that it brought there are between `least` and `most`.
    """

    least: int = 0
    most: int = 0
    brought: int = 0
    # How many copies the other socket had brought at the last PING on this one; None if the texts
    # were not counted then.
    others_then: int | None = None

    @property
    def low(self) -> int:
        """The smallest number that the last event can have."""
        return self.least + self.brought

    @property
    def high(self) -> int:
        """The greatest number that the last event can have."""
        return self.most + self.brought

    @property
    def is_exact(self) -> bool:
        """Whether it is known where the socket began."""
        return self.least == self.most

    def raise_to(self, number: int) -> int:
        """Note that the socket passed this number; return how many events it did not bring."""
        self.least = max(self.least, number - self.brought)
        missing = max(0, self.least - self.most)
        self.most += missing
        return missing

    def pass_everything(self, number: int) -> int:
        """Note that it passed this number and all that it could; return how many are missing."""
        missing = self.raise_to(number)
        self.least = self.most
        return missing


@dataclass(slots=True)
class Copies:
    """The events of one text, and the progress of each socket in them."""

    text: Hashable
    of: dict[Hashable, Progress]
    stored: int = 0
    # The places of those that one socket brought and the other did not yet, in its own order.
    places: deque[int] = field(default_factory=deque)
    # Whether the first of them came to a socket that had just joined.
    is_early: bool = False
    # How many were stored when a socket ended whose events the other one may still bring.
    stored_at_end: int | None = None
    # The number up to which a younger socket that ended may have brought them: the older one still
    # lives and would bring these too.
    wanted: int = 0

    def is_settled(self) -> bool:
        """Return whether every socket is known to have passed all of them."""
        if self.stored_at_end is not None:
            return False
        return all(each.low == each.high == self.stored for each in self.of.values())

    def end(self, socket: Hashable, survivor: Hashable | None, *, is_older: bool) -> int:
        """Go on without a socket; return how many more are to be stored, in doubt.

        What the younger one brought in doubt is needed only when the older one ends as well.
        """
        ended = self.of.pop(socket)
        self.places.clear()
        if not is_older and ended.brought:
            self.wanted = max(self.wanted, ended.high)
        left = None if survivor is None else self.of[survivor]
        needed = 0
        if is_older:
            high = 0 if left is None else left.high
            needed = max(0, max(high, self.wanted) - self.stored)
            self.stored += needed
            self.wanted = 0
        if left is not None:
            left.others_then = None
        self.stored_at_end = self.stored
        return needed
