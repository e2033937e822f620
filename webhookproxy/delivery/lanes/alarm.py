"""Calls back at a time: a lane sleeps without a greenlet that waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent


class Alarm:
    """One call at the soonest time that was asked for. Times are monotonic seconds."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: gevent.Greenlet[..., None] | None = None
        self._at = 0.0
        self._ended = False

    def set(self, at: float) -> None:
        """Have it ring at this time, unless it rings earlier anyway."""
        if self._ended or (self._timer is not None and self._at <= at):
            return
        self._clear()
        self._at = at
        self._timer = gevent.spawn_later(max(0.0, at - time.monotonic()), self._call)

    def end(self) -> None:
        """Never ring again."""
        self._ended = True
        self._clear()

    def _call(self) -> None:
        self._timer = None
        self._ring()

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.kill(block=False)
            self._timer = None
