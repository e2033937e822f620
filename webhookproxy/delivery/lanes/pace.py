"""How fast a webhook is sent to: its rate limit, and what a busy receiver asks for."""

from __future__ import annotations

from collections import deque

# A busy receiver has the pace halved, and each success raises it again by a twentieth: so one
# request in fifteen finds out that it is still busy. In requests per second; above the second one
# the pace is not limited any more.
SLOWEST = 0.1
FASTEST = 100.0
SLOWER = 0.5
FASTER = 1.05
# The pace before it was limited is what left in the last second; so many are remembered of it.
_MEASURED_MAX = 64


class Pace:
    """When the next request may leave. Times are seconds of a monotonic clock."""

    def __init__(self, rate_limit: float | None) -> None:
        self.rate: float | None = None
        self._rate_limit = rate_limit
        self._hold_until = 0.0
        self._next_slot = 0.0
        self._slowed_at = 0.0
        self._sent: deque[float] = deque(maxlen=_MEASURED_MAX)

    def start(self) -> float:
        """Return the time before which nothing may leave."""
        return max(self._hold_until, self._next_slot)

    def sent(self, now: float) -> None:
        """Count a request that leaves now."""
        self._sent.append(now)
        rates = [rate for rate in (self.rate, self._rate_limit) if rate is not None]
        if rates:
            self._next_slot = now + 1 / min(rates)

    def hold(self, until: float) -> None:
        """Let nothing leave before this time: the receiver asked for it."""
        self._hold_until = max(self._hold_until, until)

    def release(self) -> None:
        """Forget until when the receiver asked to be left alone."""
        self._hold_until = 0.0

    def slow_down(self, now: float, sent_at: float) -> None:
        """Halve the pace: a request that was sent since the last time found the receiver busy."""
        if sent_at < self._slowed_at:
            return
        rate = self.rate or sum(each > now - 1 for each in self._sent)
        self.rate = max(SLOWEST, rate * SLOWER)
        self._slowed_at = now
        self._next_slot = max(self._next_slot, now + 1 / self.rate)

    def speed_up(self) -> None:
        """Raise a pace that was halved: the receiver accepted."""
        if self.rate is not None:
            raised = self.rate * FASTER
            self.rate = raised if raised < FASTEST else None
