"""`bin/torture --processes N`: faults meet some of the processes that share the companies."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import gevent

from bench.torture.account import Account, take
from bench.torture.past import Past
from bench.torture.processes.cluster import Cluster
from bench.torture.processes.faults import Faults
from bench.torture.processes.watch import Watch
from bench.torture.stage import Stage, stage
from bench.torture.stream import Stream

COMPANIES = 24
# Events a second of each company.
RATE = 2.0
# Seconds for the delivery of what waits at the end.
SETTLE_SECONDS = 120.0
# What a look at the sockets and one at the handovers, of which each takes a moment, may differ by.
MARGIN_SECONDS = 1.0
# As 3C Plus does: the sockets of a process that is frozen live on for a while.
PINGS = {"interval": 25, "timeout": 20}


@dataclass
class Result:
    """What several processes did with the faults; `wrong` must be empty."""

    account: Account
    past: Past
    wrong: list[str]
    # A row for each kind of fault.
    table: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Return whether the promises held."""
        return self.account.good and self.account.stored > 0 and not self.wrong

    def lines(self) -> list[str]:
        """Return all that was seen."""
        faults = f"faults: {self.past.line()}"
        return [*self.account.lines(), "", *self.table, "", faults, *self.wrong[:40]]


def main(processes: int, shares: int, seconds: float, seed: int) -> int:
    """Run the torture and print what was seen. Return 0 only if the promises held."""
    heading = f"{processes} processes, {shares} shares, {COMPANIES} companies"
    print(f"postgresql, {heading}, {seconds / 60:g} minutes, seed {seed}", flush=True)
    chance = random.Random(seed)

    def throw(faults: Faults) -> bool:
        gevent.sleep(chance.uniform(0.2, 2.0))
        return faults.throw()

    result = run(processes, shares, seed, _for(seconds, throw))
    print("\n".join(result.lines()))
    print("the promises held" if result.good else "THE PROMISES DID NOT HOLD")
    return 0 if result.good else 1


def _for(seconds: float, throw: Callable[[Faults], bool]) -> Callable[[Faults], None]:
    """Return what throws faults for some time, or until one has no end."""

    def play(faults: Faults) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and throw(faults):
            name = faults.past.history[-1][1]
            took = time.monotonic() - faults.past.history[-1][0]
            print(f"  {name}: all is well after {took:.1f} s", flush=True)

    return play


def run(
    processes: int,
    shares: int,
    seed: int,
    play: Callable[[Faults], None],
    companies: int = COMPANIES,
) -> Result:
    """Return what several processes did while `play` caused faults."""
    with stage("postgresql", companies=companies, users=1, pings=PINGS) as made:
        cluster = Cluster(made, shares)
        watch, past = Watch(cluster), Past(made)
        faults = Faults(cluster, random.Random(seed), past, watch, processes)
        for _ in range(processes):
            cluster.start()
        watch.start()
        stream = Stream(made, random.Random(seed + 1), RATE)
        if faults.wait_until_whole("the start"):
            stream.start()
            play(faults)
        stream.stop()
        faults.wrong += _end(made, watch)
        result = Result(take(made, stream.sent, past), past, faults.wrong)
        result.table = _table(watch, result.wrong)
        return result


def _end(made: Stage, watch: Watch) -> Iterable[str]:
    """Deliver what waits, and end all servers; return what went wrong."""
    if not made.settle(SETTLE_SECONDS):
        yield f"something still waited after {SETTLE_SECONDS:g} s"
    watch.stop()
    for server in list(made.servers):
        made.servers.remove(server)
        if (code := server.terminate()) != 0:
            yield f"a server ended with {code} after SIGTERM"


def _table(watch: Watch, wrong: list[str]) -> list[str]:
    """Return a row for each kind of fault; adds to `wrong` what must not be."""
    longest: dict[str, float] = {}
    twice: dict[str, float] = {}
    unexplained: dict[str, float] = {}
    for trouble, company, seconds in watch.holes():
        longest[trouble.kind] = max(longest.get(trouble.kind, 0.0), seconds)
        if seconds > trouble.most:
            text = f"without a socket for {seconds:.1f} s after a {trouble.kind}"
            wrong.append(f"company_{company} was {text}")
    for trouble, company, seconds, strange in watch.doubles():
        twice[trouble.kind] = max(twice.get(trouble.kind, 0.0), seconds)
        unexplained[trouble.kind] = max(unexplained.get(trouble.kind, 0.0), strange)
        if strange > MARGIN_SECONDS:
            text = f"two sockets for {strange:.1f} s after a {trouble.kind}, with no handover"
            wrong.append(f"company_{company} had {text}")
    kinds = dict.fromkeys(each.kind for each in watch.troubles)
    head = (
        "| fault | without a socket, once the lock was free | two sockets | of these, no handover |"
    )
    rows = (
        f"| {kind} | {longest.get(kind, 0.0):.1f} s | {twice.get(kind, 0.0):.1f} s"
        f" | {unexplained.get(kind, 0.0):.1f} s |"
        for kind in [*kinds, *(longest.keys() | twice.keys() | unexplained.keys()) - kinds.keys()]
    )
    return [head, "|---|---|---|---|", *rows]
