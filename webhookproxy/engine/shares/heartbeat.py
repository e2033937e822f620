"""Keeps the lease: takes it when it is free, says that its owner lives, and gives it back.

Its greenlet waits for nothing but the lock and the lease's row: however long a company, a lane or
a receiver takes, the lease is kept, or its loss is noticed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.engine.guarded import Guarded

logger = logging.getLogger(__name__)

# How often a process that does not own the sockets asks for the lease, in seconds.
TICK = 0.5
BEAT_SECONDS = 2.0
# How long a heartbeat waits for the states of connections that are not written yet.
SETTLE_SECONDS = 4.0


class Heartbeat:
    """The lease of a share."""

    def __init__(
        self,
        ownership: Ownership,
        failing_since: Callable[[], float | None],
        on_taken: Callable[[], None],
        on_lost: Callable[[], None],
        try_to_take: Callable[[Callable[[], bool]], bool],
        settled: Callable[[float], bool],
        share: Share = WHOLE,
    ) -> None:
        # The fence of the lease that this process has; None while it has none.
        self.fence: Fence | None = None
        # Whether the lease was lost, and not given back yet: then it is not asked for again.
        self.lost = False
        self._ownership = ownership
        self._failing_since = failing_since
        self._on_taken = on_taken
        self._on_lost = on_lost
        self._try_to_take = try_to_take
        self._settled = settled
        self._share = share
        self._guarded = Guarded(self.lose)
        self._row_guarded = Guarded(self.lose)
        self._row: gevent.Greenlet[..., None] | None = None
        self._begun = False
        # Whether another process had the lease when this one last asked for it.
        self.waits = False
        self._next = 0.0
        self._wake = Event()
        self._given_back = Event()
        self._given_back.set()

    @property
    def continued(self) -> frozenset[int]:
        """The shards that no other process owned since this one last did."""
        return self._ownership.continued

    def run(self) -> None:
        """Keep the lease until the greenlet is killed."""
        while True:
            self._guarded.run(self._step)
            self._wake.wait(TICK)
            self._wake.clear()

    def hurry(self) -> None:
        """Ask for the lease now: its owner is about to give it back."""
        self._wake.set()

    def begin(self) -> None:
        """Write the lease's row from now on: the new owner has read what the last one wrote."""
        self._begun = True
        self._next = 0.0
        self._wake.set()

    def lose(self) -> None:
        """Take notice that another process has the lease. Never waits."""
        if self.fence is not None:
            self.fence = None
            self.lost = True
            logger.error("another process took %s over: letting go of them", self._share)
            self._on_lost()

    def give_back(self, timeout: float) -> None:
        """Let another process have the lease, within `timeout` seconds."""
        self.fence = None
        self._given_back.clear()
        self._wake.set()
        self._given_back.wait(timeout)

    def _step(self) -> None:
        if not self._given_back.is_set():
            self._ownership.release()
            self._begun = self.lost = False
            self._given_back.set()
        elif self.fence is None and not self.lost:
            self._take()
        elif self.fence is not None and (
            time.monotonic() >= self._next or self._ownership.is_cut()
        ):
            self._next = time.monotonic() + BEAT_SECONDS
            self._beat()

    def _take(self) -> None:
        taken = self._try_to_take(self._ownership.take)
        self.waits = not taken
        if taken and self._given_back.is_set():
            self.fence = self._ownership.fence
            logger.info("this process owns %s now", self._share)
            self._on_taken()

    def _beat(self) -> None:
        if not self._ownership.held():
            self.lose()
        elif self._begun and (self._row is None or self._row.ready()):
            # Apart: a writer that is held up must not keep the lock from being looked after.
            self._row = gevent.spawn(self._row_guarded.run, self._write_row)
            self._row.name = "engine_lease_row"

    def _write_row(self) -> None:
        # The gap that a death leaves begins at the last heartbeat: what happened to the sockets
        # before it must be written. One that cannot be written at all must not end the heartbeats.
        self._settled(SETTLE_SECONDS)
        try:
            self._ownership.write(self._failing_since())
        except StoreUnavailable:
            # The store has said so; the lock keeps others out, and the next beat tries again.
            return
