"""How fast a webhook is sent to: its rate limit, and the receiver's Retry-After."""

from __future__ import annotations


class Pace:
    """When the next request may leave. Times are seconds of a monotonic clock."""

    def __init__(self, rate_limit: float | None) -> None:
        self._rate_limit = rate_limit
        self._hold_until = 0.0
        self._next_slot = 0.0

    def start(self) -> float:
        """Return the time before which nothing may leave."""
        return max(self._hold_until, self._next_slot)

    def sent(self, now: float) -> None:
        """Count a request that leaves now."""
        if self._rate_limit is not None:
            self._next_slot = now + 1 / self._rate_limit

    def hold(self, until: float) -> None:
        """Let nothing leave before this time: the receiver asked for it."""
        self._hold_until = max(self._hold_until, until)

    def release(self) -> None:
        """Forget what the receiver asked for."""
        self._hold_until = 0.0
