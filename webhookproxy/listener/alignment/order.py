"""Whether two sockets bring their events in the same order, and how far the order differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class Order:
    """Numbers the events of each socket, and compares the numbers of those that both brought."""

    def __init__(self) -> None:
        # By how many places the two orders differed at most; 0 while they are one.
        self.displacement = 0
        self._brought: Counter[Hashable] = Counter()
        self._furthest: Counter[Hashable] = Counter()

    def place(self, socket: Hashable) -> int:
        """Return the number of an event that a socket brings now."""
        self._brought[socket] += 1
        return self._brought[socket]

    def brought(self, socket: Hashable) -> int:
        """Return how many events a socket brought."""
        return self._brought[socket]

    def pair(self, places: dict[Hashable, int]) -> None:
        """Compare the places that one event has with each socket.

        In one order every pair is further than all pairs before it, with both sockets.
        """
        for socket, place in places.items():
            behind = self._furthest[socket] - place
            self.displacement = max(self.displacement, behind)
            self._furthest[socket] = max(self._furthest[socket], place)

    def forget(self, socket: Hashable) -> None:
        """Forget a socket that ended, and the pairs with it."""
        del self._brought[socket]
        self._furthest.clear()
