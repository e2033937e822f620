"""The heads of keys that wait for another try, and when each may have it."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from webhookproxy.delivery.waiting.rows import Row

# A due time further ahead than any schedule sets one comes from a clock that jumped. Seconds.
DUE_AHEAD_MAX = 4000.0


class _Wait(NamedTuple):
    """One head that waits; `kept`: it was refused, and is kept only for want of a success."""

    at: float
    head: int
    kept: bool


class Retries:
    """Hands out heads that were tried before. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}
        self._due: list[tuple[float, int, str]] = []
        # What may be sent before its time, when there is nothing else to send.
        self._early: deque[tuple[float, int, str]] = deque()
        # Whether any of those that wait is kept.
        self._kept = False
        # Whether rows are due at once, but for those that failed again since.
        self._forgives = False
        self._failed_since: set[int] = set()

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, key: str) -> bool:
        return key in self._waits

    def restart(self, *, forgive: bool) -> None:
        """Forget what waits; with `forgive` it is due at once when it is read again."""
        self._waits.clear()
        self._due.clear()
        self._early.clear()
        if forgive:
            self._forgives = True
            self._failed_since.clear()

    def failed(self, delivery_id: int) -> None:
        """Forgive this row no longer: it failed again."""
        self._failed_since.add(delivery_id)

    def ended(self, delivery_id: int) -> None:
        """Forget a row."""
        self._failed_since.discard(delivery_id)

    def wait(self, key: str, head: int, at: float, *, kept: bool) -> None:
        """Have the head of a key wait until `at`."""
        self._waits[key] = _Wait(at, head, kept)
        self._kept = self._kept or kept
        heapq.heappush(self._due, (at, head, key))

    def keep(self, key: str, row: Row, now: float, now_ms: int) -> bool:
        """Have the head of a key wait if its time has not come, and return whether it waits."""
        ahead = 0.0 if row.due_ms is None else (row.due_ms - now_ms) / 1000
        forgiven = self._forgives and row.id not in self._failed_since
        if ahead <= 0 or (forgiven and not row.refused):
            return False
        at = now + min(ahead, DUE_AHEAD_MAX)
        self.wait(key, row.id, at, kept=row.kept)
        if forgiven:
            # What the receiver refused goes behind what it never saw.
            self._early.append((at, row.id, key))
        return True

    def due(self, now: float) -> Iterator[tuple[str, int]]:
        """Hand out the heads whose time has come, one by one."""
        while self._due and self._due[0][0] <= now:
            yield from self._taken(*heapq.heappop(self._due))

    def early(self) -> Iterator[tuple[str, int]]:
        """Hand out the heads that may be sent before their time, one by one."""
        while self._early:
            yield from self._taken(*self._early.popleft())

    def pardon(self) -> None:
        """Let heads that were kept though refused be sent when there is nothing else to send."""
        if self._kept:
            for key, wait in self._waits.items():
                if wait.kept:
                    self._waits[key] = wait._replace(kept=False)
                    self._early.append((wait.at, wait.head, key))
        self._kept = False

    def soonest(self, now: float) -> float | None:
        """Return when the next head may be sent; None if none waits."""
        if self._early:
            return now
        return self._due[0][0] if self._due else None

    def _taken(self, at: float, head: int, key: str) -> Iterator[tuple[str, int]]:
        """Hand out a head, unless it was handed out before and waits for another time by now."""
        wait = self._waits.get(key)
        if wait is not None and (wait.at, wait.head) == (at, head):
            del self._waits[key]
            yield key, head
