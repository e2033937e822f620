"""How fast 3C Plus is asked: one pace for each company, over everything that asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

# Half of the "30 requests a minute" that an integrator noted, and no more than one at a time.
SECONDS = 2.5
# What 3C Plus may ask for.
HOLD_MAX = 300.0
# Companies that are remembered: those that may be asked at once are forgotten beyond it.
REMEMBERED = 2_000


class Pace:
    """When each company may be asked for again, on the monotonic clock.

    `seconds` is the time from one turn to the next; None: SECONDS.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, seconds: float | None = None
    ) -> None:
        self._clock = clock
        self._seconds = SECONDS if seconds is None else seconds
        self._free_at: dict[int, float] = {}
        # Until when 3C Plus wants not to be asked.
        self._held: dict[int, float] = {}
        # When those may be asked for that are not in it.
        self._others_free_at = 0.0

    def free_in(self, company_id: int) -> float:
        """Return in how many seconds a company may be asked for."""
        return max(0.0, self._next(company_id) - self._clock())

    def take(self, company_id: int, patience: float) -> bool:
        """Wait for the next turn of a company and take it; False if it is not within `patience`."""
        now = self._clock()
        until = now + patience
        while True:
            begins = max(now, self._next(company_id))
            if begins > until:
                return False
            # Taken before the wait: another greenlet gets the turn after this one.
            self._forget(now)
            self._free_at[company_id] = begins + self._seconds
            if begins > now:
                gevent.sleep(begins - now)
            # A hold that came meanwhile costs this turn, and the next one is waited for.
            if self._held_until(company_id) <= begins:
                return True
            now = self._clock()

    def hold(self, company_id: int, seconds: float) -> None:
        """Ask for nothing of a company for some seconds: 3C Plus wants it so."""
        until = self._clock() + min(seconds, HOLD_MAX)
        self._held[company_id] = max(until, self._held_until(company_id))

    def hold_all(self) -> None:
        """Let every company's next turn begin as late as if each was asked for now."""
        self._others_free_at = self._clock() + SECONDS

    def _next(self, company_id: int) -> float:
        taken = self._free_at.get(company_id, 0.0)
        return max(taken, self._held_until(company_id), self._others_free_at)

    def _held_until(self, company_id: int) -> float:
        return self._held.get(company_id, 0.0)

    def _forget(self, now: float) -> None:
        if len(self._free_at) >= REMEMBERED:
            self._free_at = {each: at for each, at in self._free_at.items() if at > now}
            self._held = {each: at for each, at in self._held.items() if at > now}
