"""The live stream: stamped events of several companies, and which of them had a listener."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import gevent

from bench.torture.alerts import PHONE
from bench.torture.stage import Stage

RATE = 12.0
KEYS = 4


@dataclass(frozen=True)
class Sent:
    """One sent event: it left between `at_ms` and `left_ms`; `heard` if a live socket was open."""

    company: int
    seq: int
    key: int
    at_ms: int
    left_ms: int
    heard: bool


@dataclass
class Stream:
    """Emits for every company at its rate until it is stopped."""

    stage: Stage
    random: random.Random
    # Events a second of each company.
    rate: float = RATE
    sent: list[Sent] = field(default_factory=list)
    stopping: bool = False
    _greenlets: list[gevent.Greenlet[..., None]] = field(default_factory=list)

    def start(self) -> None:
        """Start the stream."""
        for company, token in self.stage.tokens.items():
            self._greenlets.append(gevent.spawn(self._emit, company, token))

    def stop(self) -> None:
        """Stop the stream; raise what stopped one company's stream."""
        self.stopping = True
        gevent.joinall(self._greenlets, timeout=30, raise_error=True)

    def _emit(self, company: int, token: str) -> None:
        seq = 0
        while not self.stopping:
            seq += 1
            key = 0 if self.stage.one_key else self.random.randrange(KEYS)
            at_ms = round(time.time() * 1000)
            stamped = {"agent": {"id": key}, "seq": seq, "company": company, "phone": PHONE}
            answer = self.stage.simulator.control(
                "emit", token=token, event="agent-is-idle", args=[stamped]
            )
            left_ms = round(time.time() * 1000)
            self.sent.append(Sent(company, seq, key, at_ms, left_ms, answer["heard"] > 0))
            pause = self.random.uniform(0.5, 1.5) / self.rate
            gevent.sleep(pause / 10 if self.stage.one_key else pause)
