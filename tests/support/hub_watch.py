"""Measures what happens between two switches of the hub: how much CPU is used, what is read."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import greenlet
from sqlalchemy import Engine, event


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


def least_held(act: Callable[[], object], limit_ms: float, rounds: int = 5) -> tuple[float, str]:
    """Return the longest stretch of CPU during an act, in milliseconds, and whose it was.

    The act is done again, a few times at most, as long as a stretch passes the limit: what this
    machine did meanwhile is not there each time.
    """
    found: list[tuple[float, str]] = []
    while not found or (min(found)[0] >= limit_ms and len(found) < rounds):
        with watching() as watch:
            act()
            # What was used since the last switch is only counted at the next.
            gevent.sleep(0)
            found.append((watch.longest_ms, watch.by))
    return min(found)


class Stretches:
    """The statements that were sent between two switches of the hub."""

    def __init__(self) -> None:
        self.all: list[list[str]] = []
        self._now: list[str] = []

    @property
    def longest(self) -> list[str]:
        """Return the statements of the stretch with the most of them."""
        return max(self.all, key=len, default=[])

    @property
    def most(self) -> int:
        """Return how many these are."""
        return len(self.longest)

    def sent(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Note a statement."""
        if not self._now:
            self.all.append(self._now)
        self._now.append(statement)

    def switched(self, _event: str, _switch: Any) -> None:
        """Begin a new stretch."""
        self._now = []


@contextmanager
def stretches(engine: Engine) -> Iterator[Stretches]:
    """Note the statements that an engine gets from this thread."""
    found = Stretches()
    event.listen(engine, "before_cursor_execute", found.sent)
    before = greenlet.settrace(found.switched)
    try:
        yield found
    finally:
        greenlet.settrace(before)
        event.remove(engine, "before_cursor_execute", found.sent)
