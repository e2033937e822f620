"""What a torture did so far, and which requests were in flight when a process ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

import gevent

from bench.torture.stage import Stage
from tests.support.server_process import ServerProcess


@dataclass
class Past:
    """The faults that were caused, and what each end of a process may have doubled."""

    stage: Stage
    counts: Counter[str] = field(default_factory=Counter)
    # How often each event was in flight when a process ended; each time may double it once.
    in_flight: Counter[tuple[int, str]] = field(default_factory=Counter)
    # The faults, and when each was caused (monotonic).
    history: list[tuple[float, str]] = field(default_factory=list)
    # When a process ended, or lost its database (monotonic).
    ends: list[float] = field(default_factory=list)

    def begin(self, name: str) -> None:
        """Note that a fault is caused now."""
        self.history.append((time.monotonic(), name))
        self.counts[name] += 1

    def kill(self, server: ServerProcess) -> None:
        """Kill a server with SIGKILL."""
        others = [each for each in self.stage.servers if each is not server]
        # Only while we read what was in flight: the next owner's commits would hide it.
        for other in others:
            other.freeze()
        server.kill()
        # The last requests are still in the receivers' sockets. They have all been read when this
        # process has nothing left to do, however slow the machine is.
        for _ in range(3):
            gevent.sleep(0.05)
            gevent.idle()
        self.gone(server)
        for other in others:
            other.thaw()

    def gone(self, server: ServerProcess) -> None:
        """Note that a server ended."""
        self.stage.servers.remove(server)
        self.ends.append(time.monotonic())
        self.note_in_flight()

    def note_in_flight(self) -> None:
        """Note what is in flight now."""
        self.in_flight.update(self.stage.in_flight())

    def note_accepted(self, began: float, companies: Container[int] | None = None) -> None:
        """Note all that was accepted since a moment, of these companies: it may be sent again."""
        self.in_flight.update(self.stage.accepted_since(began, companies))

    def after(self, at: float) -> str:
        """Return which fault was the last one before a monotonic moment, and how long before."""
        before = [each for each in self.history if each[0] <= at]
        return f"{at - before[-1][0]:.2f} s after a {before[-1][1]} began" if before else "first"

    def line(self) -> str:
        """Return how often each fault was caused."""
        return ", ".join(f"{name} {number}" for name, number in sorted(self.counts.items()))
