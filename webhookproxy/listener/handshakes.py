"""The handshakes of all companies: how many begin at a time, and whether many dropped at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

# However many companies drop at once, a server sees so many handshakes at a time.
HANDSHAKES_MAX = 20
# However many parts there are, each may begin a fifth of them.
PARTS_MAX = 5
# A handshake that takes longer than this lets the next one begin: a server that accepts and says
# nothing must not hold up the companies of others.
TURN_SECONDS = 0.25
# So many drops within a second mean that the server went away, and not one connection.
CROWD = 10


class Handshakes:
    """What the supervisors of a share have in common to open their sockets.

    It may begin one of so many `parts` of the handshakes that a process may.
    """

    def __init__(self, policy: Policy, resolver: Resolver, parts: int = 1) -> None:
        self.policy = policy
        self.resolver = resolver
        self._turns = BoundedSemaphore(ceil(HANDSHAKES_MAX / min(parts, PARTS_MAX)))
        self._drops: deque[float] = deque(maxlen=CROWD)
        self._allowed = Event()
        self._allowed.set()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to open a socket, and have it for TURN_SECONDS at most."""
        self._allowed.wait()
        self._turns.acquire()
        over = gevent.spawn_later(TURN_SECONDS, self._turns.release)
        try:
            yield
        finally:
            if not over.ready():
                over.kill(block=False)
                self._turns.release()

    def allow(self, allowed: bool) -> None:
        """Let sockets be opened, or have them wait until this is called again."""
        if allowed:
            self._allowed.set()
        else:
            self._allowed.clear()

    def count_drop(self) -> bool:
        """Count a dropped connection; return whether a crowd dropped within the last second."""
        now = time.monotonic()
        self._drops.append(now)
        return len(self._drops) == CROWD and now - self._drops[0] < 1.0
