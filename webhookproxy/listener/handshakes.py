"""The handshakes of all companies: how many at a time, and whether many dropped at once."""

from __future__ import annotations

import time
from collections import deque

from gevent.lock import BoundedSemaphore

from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

# However many companies drop at once, the server sees so many handshakes at a time.
HANDSHAKES_MAX = 20
# So many drops within a second mean that the server went away, and not one connection.
CROWD = 10


class Handshakes:
    """What the supervisors of a process share to open their sockets."""

    def __init__(self, policy: Policy, resolver: Resolver) -> None:
        self.policy = policy
        self.resolver = resolver
        self.gate = BoundedSemaphore(HANDSHAKES_MAX)
        self._drops: deque[float] = deque(maxlen=CROWD)

    def count_drop(self) -> bool:
        """Count a dropped connection; return whether a crowd dropped within the last second."""
        now = time.monotonic()
        self._drops.append(now)
        return len(self._drops) == CROWD and now - self._drops[0] < 1.0
