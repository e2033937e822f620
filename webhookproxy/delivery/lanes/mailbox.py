"""Messages to a lane while it reads, so that no sender waits for its lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gevent.lock import BoundedSemaphore


class Mailbox:
    """Has work done that must not meet a half-read window: at once, or when the read is over.

    The work itself never yields. While nothing is read no other greenlet can be in the middle of
    anything, so it needs no lock. It is bounded by what can happen within one read: a result for
    each row in hand, and what people do meanwhile.
    """

    def __init__(self) -> None:
        self._lock = BoundedSemaphore()
        self._waiting: list[Callable[[], None]] = []

    def post(self, work: Callable[[], None]) -> None:
        """Have this done now, or as soon as nothing is being read."""
        if self._lock.locked():
            self._waiting.append(work)
        else:
            work()

    @contextmanager
    def reading(self) -> Iterator[list[Callable[[], None]]]:
        """Read alone; the list that is yielded holds, afterwards, what was posted meanwhile."""
        news: list[Callable[[], None]] = []
        with self._lock:
            try:
                yield news
            finally:
                while self._waiting:
                    work = self._waiting.pop(0)
                    news.append(work)
                    work()
