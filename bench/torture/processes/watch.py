"""Looks several times a second which companies have a socket, and judges what it saw at the end.

A frozen process has sockets that no one reads: its companies count as without one until another
process opened one, or until it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gevent
from sqlalchemy.exc import SQLAlchemyError

from bench.torture.processes.cluster import Cluster
from tests.support.application import rows
from webhookproxy.database.clock import database_clock
from webhookproxy.listener.handover.agreement import SILENT_MS

EVERY_SECONDS = 0.2
# A process that was frozen may have its sockets so long after it goes on.
WAKING_SECONDS = 3.0


@dataclass(frozen=True)
class Sample:
    """The sockets and handshakes of each company, and the shares that are handed over."""

    at: float
    sockets: dict[int, int]
    accepted: dict[int, int]
    handed: frozenset[int]


@dataclass
class Trouble:
    """A fault, and when the locks of what it meets are free.

    A company may be without a socket for `most` seconds after that.
    """

    kind: str
    began: float
    free_at: float
    most: float


@dataclass
class Frozen:
    """A process that is stopped where it is, and the companies whose sockets it has.

    Of those `beside` another process has one too: it was to follow that one.
    """

    began: float
    companies: Set[int]
    beside: Set[int]
    accepted: dict[int, int]
    ended: float | None = None

    def hides(self, company: int, sample: Sample) -> bool:
        """Return whether no process reads the socket of a company."""
        if company not in self.companies or not self.began <= sample.at < (self.ended or 2**62):
            return False
        return sample.accepted[company] == self.accepted[company]

    def explains(self, company: int, at: float) -> bool:
        """Return whether a second socket of a company may be due to it."""
        ended = 2**62 if self.ended is None else self.ended + WAKING_SECONDS
        return company in self.companies | self.beside and self.began <= at <= ended


@dataclass
class Watch:
    """Samples until it is stopped."""

    cluster: Cluster
    samples: list[Sample] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    frozen: list[Frozen] = field(default_factory=list)
    _greenlet: gevent.Greenlet[..., None] | None = None
    _handed: frozenset[int] = frozenset()

    def start(self) -> None:
        """Begin to look."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End looking; raise what ended it before."""
        if self._greenlet is not None:
            ended = self._greenlet.ready()
            self._greenlet.kill()
            if ended:
                self._greenlet.get()

    def trouble(self, kind: str, *, free_after: float = 0.0, most: float = 3.0) -> Trouble:
        """Note a fault that is caused now."""
        now = time.monotonic()
        self.troubles.append(Trouble(kind, now, now + free_after, most))
        return self.troubles[-1]

    def freeze(self, companies: Set[int], beside: Set[int], began: float) -> Frozen:
        """Note that the process which has the sockets of these companies is frozen now."""
        last = self.samples[-1]
        # Another process has a second socket of these already.
        followed = {each for each in companies if last.sockets[each] > 1}
        self.frozen.append(Frozen(began, companies - followed, beside | followed, last.accepted))
        return self.frozen[-1]

    def is_whole(self) -> bool:
        """Return whether every company had a socket that is read when this last looked."""
        if self._greenlet is not None and self._greenlet.ready():
            self._greenlet.get()
        return bool(self.samples) and not self._without(self.samples[-1])

    def holes(self) -> Iterator[tuple[Trouble, int, float]]:
        """Return each time without a socket: after which fault, of which company, how long."""
        since: dict[int, float] = {}
        for sample in self.samples:
            without = self._without(sample)
            for company in without - since.keys():
                since[company] = sample.at
            for company in since.keys() - without:
                cause = self._cause(began := since.pop(company))
                yield cause, company, max(0.0, sample.at - max(began, cause.free_at))

    def doubles(self) -> Iterator[tuple[Trouble, int, float, float]]:
        """Return each time with two sockets: after which fault, of which company, how long.

        The last number is for how many of these seconds no handover and no frozen process
        explains it.
        """
        since: dict[int, float] = {}
        explained: dict[int, float] = {}
        strange: dict[int, float] = {}
        for sample in self.samples:
            two = {each for each, number in sample.sockets.items() if number > 1}
            for company in since.keys() - two:
                began = since.pop(company)
                cause, seconds = self._cause(began), sample.at - began
                yield cause, company, seconds, strange.pop(company, 0.0)
            for company in two:
                since.setdefault(company, sample.at)
                if self._is_explained(company, sample):
                    explained[company] = sample.at
                alone = sample.at - max(since[company], explained.get(company, 0.0))
                strange[company] = max(strange.get(company, 0.0), alone)

    def _is_explained(self, company: int, sample: Sample) -> bool:
        if company % self.cluster.shares in sample.handed:
            return True
        return any(each.explains(company, sample.at) for each in self.frozen)

    def _cause(self, at: float) -> Trouble:
        before = [each for each in self.troubles if each.began <= at]
        return before[-1] if before else Trouble("nothing", 0.0, 0.0, 0.0)

    def _without(self, sample: Sample) -> set[int]:
        return {
            company
            for company, sockets in sample.sockets.items()
            if sockets == 0 or any(each.hides(company, sample) for each in self.frozen)
        }

    def _run(self) -> None:
        while True:
            self.samples.append(self._look())
            gevent.sleep(EVERY_SECONDS)

    def _look(self) -> Sample:
        numbers = {token[-4:]: company for company, token in self.cluster.stage.tokens.items()}
        # PostgreSQL may be away: then what was said last counts.
        with suppress(SQLAlchemyError):
            self._handed = self._handovers()
        states: list[dict[str, Any]] = self.cluster.stage.simulator.state()["tokens"]
        mine = {numbers[each["token"][-4:]]: each for each in states}
        return Sample(
            time.monotonic(),
            {company: int(each["sockets"]) for company, each in mine.items()},
            {company: int(each["accepted"]) for company, each in mine.items()},
            self._handed,
        )

    def _handovers(self) -> frozenset[int]:
        now = database_clock("postgresql")
        query = (
            "SELECT shard FROM handovers WHERE successor IS NOT NULL"
            f" AND ABS({now} - seen_at) <= {SILENT_MS}"
        )
        return frozenset(row.shard for row in rows(self.cluster.stage.app, query))
