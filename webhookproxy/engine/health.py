"""How the running whole is: what /saude, /metrics and the pages ask the engine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import gevent

from webhookproxy.counts import Durations
from webhookproxy.database.fence import SHARDS
from webhookproxy.delivery.outcomes.tally import Tally


@dataclass(frozen=True, slots=True)
class Health:
    """How the engine is, without a name; `shards` is how many this process owns."""

    shards: int
    storing: bool
    sockets_wished: int
    sockets_connected: int
    buffered: int
    loop_lag_ms: int

    @property
    def owner(self) -> bool:
        """Return whether this process owns any sockets."""
        return self.shards > 0

    @property
    def owns_all(self) -> bool:
        """Return whether it owns the sockets of every company."""
        return self.shards == SHARDS


@dataclass(frozen=True, slots=True)
class Counts:
    """What this process did since it started, as the owner of the sockets or before that."""

    stored_events: int
    sent: Tally
    commits: Durations


class LoopWatch:
    """Measures how late the event loop wakes a greenlet that slept a second."""

    def __init__(self) -> None:
        self._lag = 0.0

    @property
    def lag_ms(self) -> int:
        """How late the last time, in milliseconds."""
        return round(self._lag * 1000)

    def watch(self) -> None:
        """Measure until the greenlet is killed."""
        while True:
            before = time.monotonic()
            gevent.sleep(1.0)
            self._lag = max(0.0, time.monotonic() - before - 1.0)
