"""Measures how much CPU is used between two switches of the hub, and by which greenlet."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import greenlet


class HubWatch:
    """The longest stretch of CPU so far, in milliseconds, and the greenlet that used it."""

    def __init__(self) -> None:
        self.longest_ms = 0.0
        self.by = ""
        self._since = time.thread_time()

    def forget(self) -> None:
        """Measure from now on only."""
        self.longest_ms, self.by = 0.0, ""
        self._since = time.thread_time()

    def note(self, _event: str, switch: tuple[Any, Any]) -> None:
        """Note a switch of the hub."""
        now = time.thread_time()
        used = (now - self._since) * 1000
        if used > self.longest_ms:
            self.longest_ms = used
            self.by = getattr(switch[0], "name", type(switch[0]).__name__)
        self._since = now


@contextmanager
def watching() -> Iterator[HubWatch]:
    """Measure the hub of this thread. Garbage is collected before and after, not in between."""
    gc.collect()
    gc.disable()
    watch = HubWatch()
    before = greenlet.settrace(watch.note)
    try:
        yield watch
    finally:
        greenlet.settrace(before)
        gc.enable()
