"""The numbers that one owner of shards gives to events and deliveries."""

from __future__ import annotations

from collections.abc import Callable, Collection

from webhookproxy.database.fence import SHARD, Fence
from webhookproxy.models.installation.numbers import Counting


class Numbering:
    """Gives numbers of one of the owner's shards, whose company ever they are for.

    So they are in the order of arrival. Each write that gives some names that shard too, because
    its next owner gives the numbers that follow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lost: set[int] = set()
        self._use(SHARD)

    def begin(self, fence: Fence) -> None:
        """Begin as the owner with this fence; the last numbers are to be read."""
        self._lost.clear()
        self._use(min(fence.numbers))

    def leave(self, fence: Fence, lost: Collection[int]) -> None:
        """Go on in another own shard, if that of the numbers is one that another process took."""
        self._lost.update(lost)
        kept = set(fence.numbers) - self._lost
        if self.shard in self._lost and kept:
            self._use(min(kept))

    def go_above(self, event_id: int, delivery_id: int) -> None:
        """Go on above these, which are the highest numbers of all shards."""
        self.events.go_above(event_id)
        self.deliveries.go_above(delivery_id)
        self.is_behind = False

    def catch_up(self) -> None:
        """Go on with the numbers of this moment."""
        self.events.catch_up()
        self.deliveries.catch_up()

    def _use(self, shard: int) -> None:
        self.shard = shard
        self.events = Counting(shard, self._clock)
        self.deliveries = Counting(shard, self._clock)
        # Whether others were perhaps given since the last ones were read.
        self.is_behind = True
