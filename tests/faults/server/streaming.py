"""A stream of events in which some are the same text, and which of them came."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess

# Events a second, and which share of them is the same text, byte for byte.
RATE = 50
EQUAL = 10


class Stream:
    """Emits events to a company until it is ended; each tenth is the same text."""

    def __init__(self, simulator: SimulatorProcess, token: str) -> None:
        self._simulator = simulator
        self._token = token
        self._ended = False
        self.emitted: Counter[str] = Counter()
        # When each payload was emitted, in wall milliseconds.
        self.times: defaultdict[str, list[int]] = defaultdict(list)
        self._greenlet = gevent.spawn(self._run)

    def end(self) -> Counter[str]:
        """Emit no more; return how often each payload was emitted."""
        self._ended = True
        self._greenlet.get(timeout=60)
        return self.emitted

    def _run(self) -> None:
        number = 0
        while not self._ended:
            number += 1
            payload = {"agent": 7} if number % EQUAL == 0 else {"number": number}
            text = json.dumps(payload)
            self.times[text].append(round(time.time() * 1000))
            self._simulator.control("emit", token=self._token, event="x", args=[payload])
            self.emitted[text] += 1
            gevent.sleep(1 / RATE)


@contextmanager
def streaming(simulator: SimulatorProcess, token: str) -> Iterator[Stream]:
    """Yield a stream of events of a company; it ends at the end."""
    stream = Stream(simulator, token)
    try:
        yield stream
    finally:
        stream.end()


# A busy machine may need more than a second to open the first socket: that is a gap too.
GAPS = "SELECT reason, started_at, ended_at FROM gaps WHERE reason <> 'wished'"


def payloads(receiver: Receiver) -> Counter[str]:
    """Return how often each payload came."""
    return Counter(json.dumps(json.loads(each.body)["payload"]) for each in receiver.requests)
