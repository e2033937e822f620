"""`python -m bench.search_cost`: compare a burst while the search is filled with one without.

The event is the catalogue's largest. The rounds alternate, and the ratio of the medians counts. It
also prints how long after the burst the search had indexed everything.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack, closing
from functools import partial
from sqlite3 import OperationalError, connect

from bench.load import burst
from bench.processes.relays import Product, Stage, install
from bench.processes.stage import two_cores, wait_for
from bench.rows import Row, at_least, conclude
from webhookproxy.demo.programs import DemoError

FLOOR, GOAL = 0.90, 0.95
APPLICATIONS = {"without": "bench.processes.unsearched:app", "filled": "wsgi:app"}


def main() -> int:
    """Measure. Return 0, or 1 if the search costs too much."""
    parser = argparse.ArgumentParser(prog="python -m bench.search_cost")
    parser.add_argument("--events", type=int, default=5000, help="in a burst (default 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each (default 3)")
    arguments = parser.parse_args()
    _, relays_core = two_cores(parser)
    try:
        with ExitStack() as stack:
            stage = Stage(stack, relays_core)
            return conclude(cost(stage, arguments.rounds, arguments.events))
    except DemoError as error:
        print(f"bench.search_cost: {error}", file=sys.stderr)
        return 1


def cost(stage: Stage, rounds: int, events: int) -> list[Row]:
    """Return the burst's rate while the search is filled, as a share of the rate without."""
    products = {name: install(stage) for name in APPLICATIONS}
    rates: dict[str, list[float]] = {name: [] for name in APPLICATIONS}
    behind = []
    for number in range(1, rounds + 1):
        for name, product in products.items():
            with ExitStack() as started:
                relay = product.start(stage, started, APPLICATIONS[name])
                rate = burst(stage, relay, product.tokens[0], events).per_second
                began = time.monotonic()
                if name == "filled":
                    wait_for(partial(_indexed, product), "the search")
                    behind.append(time.monotonic() - began)
            rates[name].append(rate)
            print(f"round {number}  {name:8} {rate:7.0f} events/s", flush=True)
    without, filled = (statistics.median(rates[name]) for name in APPLICATIONS)
    return [
        at_least(
            f"burst with the search filled / without ({filled:,.0f}/s)",
            filled / without,
            FLOOR,
            GOAL,
        ),
        Row("search complete after the burst, s", f"{max(behind):.1f}"),
    ]


def _indexed(product: Product) -> bool:
    path = product.environment["DATABASE_URL"].removeprefix("sqlite:///")
    index = path.replace(".sqlite", "-search.sqlite")
    try:
        with closing(connect(path)) as events, closing(connect(index)) as search:
            newest = events.execute("SELECT MAX(id) FROM events").fetchone()
            cursor = search.execute("SELECT cursor FROM search_state").fetchone()
    except OperationalError:
        return False
    return bool(newest == cursor)


if __name__ == "__main__":
    sys.exit(main())
