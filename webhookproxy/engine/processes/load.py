"""How much a process does: events, deliveries, its share of a core, its memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from webhookproxy.engine.health import Counts

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Load:
    """What a process did in each second of some time; `core_share` 1 is a whole core."""

    events_per_second: float
    deliveries_per_second: float
    core_share: float
    memory_bytes: int | None


class LoadMeter:
    """Measures from one call to the next; `clock` is monotonic, in seconds."""

    def __init__(
        self, counts: Callable[[], Counts], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._last = self._totals()

    def measure(self) -> Load:
        """Return the load since the last call, or since this meter was made."""
        before, self._last = self._last, self._totals()
        gone, events, deliveries, processor = (
            now - then for now, then in zip(self._last, before, strict=True)
        )
        seconds = max(gone, 0.001)
        return Load(
            events_per_second=round(events / seconds, 3),
            deliveries_per_second=round(deliveries / seconds, 3),
            core_share=round(processor / seconds, 3),
            memory_bytes=memory_bytes(),
        )

    def _totals(self) -> tuple[float, ...]:
        counts = self._counts()
        delivered = sum(counts.sent.delivered.counts)
        return self._clock(), counts.stored_events, delivered, time.process_time()


def memory_bytes() -> int | None:
    """Return the memory that this process has in use; None where /proc does not tell it."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
