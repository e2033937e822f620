"""`python -m bench.costs.shares [ROUNDS]`: what it costs to share the companies out.

Prints the CPU of an event, from the socket to the committed result, with one share, with several in
one process, and with two processes that own half of them each, and what idle processes cost. The
CPU is that of the product's processes; PostgreSQL's is beside it. The runs alternate, and their
medians count. The search is not filled: it would end at another moment in each run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass

import psutil
from sqlalchemy import Engine, create_engine, text

from bench.load import check, emit
from bench.processes.relays import Product, Stage, install
from bench.processes.stage import Relay, on_core, start_server, two_cores, wait_for
from bench.rows import Row, at_least, at_most, conclude
from tests.support import postgresql
from webhookproxy.demo.programs import DemoError

COMPANIES, IDLE_COMPANIES = 24, 100
# Of each company: events at once, and events at RATE of all companies together.
BURST, STEADY, WARM_UP = 100, 75, 10
RATE = 300.0
SETTLE_SECONDS, IDLE_SECONDS = 4.0, 20.0
CONNECT_SECONDS = 300.0
APPLICATION = "bench.processes.unsearched:app"
# Each owner has a core of its own, and PostgreSQL and what they talk to have the others.
CORES_FOR_A_RATE = 4


@dataclass(frozen=True, slots=True)
class Setup:
    """How the processes of a run are set up; each has its own `limits` beside that."""

    shares: int = 1
    limits: tuple[dict[str, str], ...] = ({},)
    sqlite: bool = False

    @property
    def owners(self) -> int:
        """Return how many processes own shares."""
        return 1 if self.shares == 1 else sum(each != _PAGES for each in self.limits)


_PAGES = {"SHARDS_MAX": "0"}
ONE, AGAIN, TWO, SQLITE = "SHARES=1", "SHARES=1 again", "two owners", "SHARES=1 on SQLite"
MANY = ("SHARES=8", "SHARES=16")
SETUPS = {
    ONE: Setup(),
    AGAIN: Setup(),
    "SHARES=8": Setup(8),
    "SHARES=16": Setup(16),
    TWO: Setup(8, ({}, {})),
    SQLITE: Setup(sqlite=True),
}
IDLE_SETUPS = {
    "SHARES=1": Setup(),
    "SHARES=8": Setup(8),
    "SHARES=16": Setup(16),
    "SHARES=1, an owner and one that waits": Setup(1, ({}, {})),
    "SHARES=16, an owner and one for pages only": Setup(16, ({}, _PAGES)),
    "SHARES=16, two owners": Setup(16, ({}, {})),
    "SHARES=1 on SQLite": Setup(sqlite=True),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU for an event, those of the database for it, and events a second."""

    burst_us: float
    burst_database_us: float
    per_second: float
    steady_us: float
    steady_database_us: float


class Run:
    """The processes of one run, on the database of their setup."""

    def __init__(self, stage: Stage, setup: Setup, product: Product, started: ExitStack) -> None:
        self._stage = stage
        self._setup = setup
        self._tokens = product.tokens
        self._database = create_engine(product.environment["DATABASE_URL"])
        started.callback(self._database.dispose)
        self._relays: list[Relay] = []
        for number, limits in enumerate(setup.limits):
            environment = {**product.environment, "SHARES": str(setup.shares), **limits}
            with on_core(_core_of(stage, number)):
                self._relays.append(start_server(environment, started, APPLICATION))
        wait_for(self._is_shared_out, "the sharing out of all companies", CONNECT_SECONDS)

    def cost(self) -> Cost:
        """Return what events cost, after some that warm everything up."""
        self._measure(WARM_UP, None)
        burst, burst_database, per_second = self._measure(BURST, None)
        steady, steady_database, _ = self._measure(STEADY, RATE / COMPANIES)
        return Cost(burst, burst_database, per_second, steady, steady_database)

    def idle(self) -> list[float]:
        """Return the seconds of CPU that a minute costs each process, and then the database."""
        # A start has things to do once.
        time.sleep(SETTLE_SECONDS)
        began, before = time.monotonic(), self._cpu()
        time.sleep(IDLE_SECONDS)
        minutes = (time.monotonic() - began) / 60
        return [(new - old) / minutes for new, old in zip(self._cpu(), before, strict=True)]

    def _is_shared_out(self) -> bool:
        """Return whether every owner has as many shards as the others, and each company one socket.

        Leases that no one has taken yet still name the processes of the run before.
        """
        for relay in self._relays:
            relay.check_alive()
        if self._stage.simulator.sockets() != len(self._tokens):
            return False
        query = "SELECT holder, COUNT(*) FROM leases GROUP BY holder"
        with self._database.connect() as connection:
            shards = connection.execute(text(query)).all()
        return len(shards) == self._setup.owners and len({each[1] for each in shards}) == 1

    def _measure(self, events: int, rate: float | None) -> tuple[float, float, float]:
        """Return the microseconds of an event, the database's for it, and events a second."""
        count = events * len(self._tokens)
        wanted = self._delivered() + count
        self._stage.receiver.forget()
        before, began = self._cpu(), time.monotonic()
        emit(self._stage, self._tokens, events, rate)
        wait_for(lambda: self._stage.receiver.count() >= count, f"{count} arrivals", 120)
        wait_for(lambda: self._delivered() >= wanted, "the commit of the results")
        *ours, database = (new - old for new, old in zip(self._cpu(), before, strict=True))
        arrivals = self._stage.receiver.arrivals()
        check(arrivals, count)
        last = max(max(seen.values()) for seen in arrivals["first"].values())
        return sum(ours) / count * 1e6, database / count * 1e6, count / (last - began)

    def _delivered(self) -> int:
        query = text("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'")
        with self._database.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _cpu(self) -> list[float]:
        return [each.cpu_seconds() for each in self._relays] + [_cpu_of(self._database)]


def _cpu_of(database: Engine) -> float:
    """Return the seconds of CPU of all processes of PostgreSQL so far; 0 on SQLite."""
    if database.dialect.name == "sqlite":
        return 0.0
    with database.connect() as connection:
        session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    parent = psutil.Process(session).parent()
    assert parent is not None
    ended = parent.cpu_times()
    seconds = ended.children_user + ended.children_system
    for each in (parent, *parent.children()):
        times = each.cpu_times()
        seconds += times.user + times.system
    return float(seconds)


def _core_of(stage: Stage, number: int) -> int:
    return stage.core + number if (os.cpu_count() or 1) >= CORES_FOR_A_RATE else stage.core


def costs(stage: Stage, server: postgresql.Server, rounds: int) -> list[Row]:
    """Return the rows on events, of runs that alternate."""
    found: dict[str, list[Cost]] = defaultdict(list)
    with ExitStack() as stack:
        installed = {
            name: stack.enter_context(_installed(stage, server, setup, COMPANIES))
            for name, setup in SETUPS.items()
        }
        for number in range(rounds):
            names = list(SETUPS)
            # Each is the first of a round as often as the others.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                with ExitStack() as started:
                    run = Run(stage, SETUPS[name], installed[name], started)
                    found[name].append(run.cost())
                shown = ", ".join(f"{each:,.0f}" for each in astuple(found[name][-1]))
                print(f"round {number + 1}  {name:18} {shown}", flush=True)
    medians = {name: _median(many) for name, many in found.items()}
    return _rows(medians, _median([*found[ONE], *found[AGAIN]]))


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(each) for each in zip(*map(astuple, costs), strict=True)))


def _rows(medians: dict[str, Cost], plain: Cost) -> list[Row]:
    rows = [
        Row(
            f"{name}: µs of CPU an event in a burst; at {RATE:.0f}/s (PostgreSQL's)",
            f"{each.burst_us:.0f} ({each.burst_database_us:.0f});"
            f" {each.steady_us:.0f} ({each.steady_database_us:.0f})",
        )
        for name, each in medians.items()
    ]
    for load in ("burst", "steady"):
        of = {name: getattr(each, f"{load}_us") for name, each in medians.items()}
        base = getattr(plain, f"{load}_us")
        band = abs(of[ONE] - of[AGAIN]) / base
        rows.append(Row(f"{load}: the same between equal runs (A/A)", f"±{band:.3f}"))
        rows += [at_most(f"{load}: {each} / SHARES=1", of[each] / base, 1.05, 1.0) for each in MANY]
        rows.append(at_most(f"{load}: {TWO} / SHARES=1", of[TWO] / base, 1.15, 1.0))
    if (os.cpu_count() or 1) < CORES_FOR_A_RATE:
        why = f"skipped: {os.cpu_count()} cores, and two owners need {CORES_FOR_A_RATE}"
        return [*rows, Row("two owners / one: events a second", why)]
    rate = medians[TWO].per_second / plain.per_second
    return [*rows, at_least("two owners / one: events a second", rate, 1.6, 1.9)]


def idle(stage: Stage, server: postgresql.Server) -> list[Row]:
    """Return the rows on processes with companies that bring no event."""
    rows = []
    for name, setup in IDLE_SETUPS.items():
        with _installed(stage, server, setup, IDLE_COMPANIES) as product, ExitStack() as started:
            *ours, database = Run(stage, setup, product, started).idle()
        shown = " + ".join(f"{each:.2f}" for each in ours)
        rows.append(
            Row(f"idle: {name}: s of CPU a minute (PostgreSQL's)", f"{shown} ({database:.2f})")
        )
        print(rows[-1].name, rows[-1].shown, flush=True)
    return rows


@contextmanager
def _installed(
    stage: Stage, server: postgresql.Server, setup: Setup, companies: int
) -> Iterator[Product]:
    """An installation of the product with so many connected companies, on a database of its own."""
    with ExitStack() as stack:
        url = "" if setup.sqlite else stack.enter_context(server.database(empty=True))
        yield install(stage, companies=companies, database_url=url)


def main() -> int:
    """Measure. Return 0, or 1 if a floor was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs.shares", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=9, help="of each (default 9)")
    parser.add_argument("--only", choices=("events", "idle"), help="one half of it")
    arguments = parser.parse_args()
    _, core = two_cores(parser)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}", flush=True)
    try:
        with ExitStack() as stack, postgresql.running() as server:
            stage = Stage(stack, core)
            rows = [] if arguments.only == "idle" else costs(stage, server, arguments.rounds)
            rows += [] if arguments.only == "events" else idle(stage, server)
    except DemoError as error:
        print(f"bench.costs.shares: {error}", file=sys.stderr)
        return 1
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}", flush=True)
    return conclude(rows)


if __name__ == "__main__":
    sys.exit(main())
