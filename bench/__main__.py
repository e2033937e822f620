"""`bin/bench [--quick]`: the product beside the relays it would replace, in one run.

The measured relay has its own core; the simulator, the receiver and this program share the other.
The machine may be slow or noisy, so only the ratio to the reference relays of the same run counts.
It prints a table and writes `bench/results.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench import durable, growth, scale, search_cost, speed
from bench.costs.conditions import conditions
from bench.processes.relays import Stage, has_node
from bench.processes.stage import two_cores
from bench.rows import Row, conclude
from webhookproxy.demo.programs import DemoError

RESULTS = Path(__file__).parent / "results.json"


def main() -> int:
    """Measure. Return 0, or 1 if a floor was missed or an event was lost."""
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, smaller loads")
    quick = parser.parse_args().quick
    own_core, relays_core = two_cores(parser)
    node = has_node()
    if not node:
        print("There is no Node here: the ratios to N1 and N64 are left out.")
    with ExitStack() as stack:
        found = measure(Stage(stack, relays_core), quick=quick, node=node, other_core=own_core)
    RESULTS.write_text(json.dumps([asdict(row) for row in found], indent=1, ensure_ascii=False))
    return conclude(found)


def measure(stage: Stage, *, quick: bool, node: bool, other_core: int) -> list[Row]:
    """Measure every row of the table; a row that fails does not stop the others."""
    small = 5 if quick else 1
    rounds = 1 if quick else 3
    found, reference = speed.measure(stage, rounds=rounds, events=5000, node=node)
    parts: list[Callable[[], list[Row]]] = [
        conditions,
        lambda: durable.measure(stage, rounds=rounds, events=5000),
        lambda: scale.many_companies(stage, reference, 60 / small),
        lambda: scale.slow_receiver(stage, 20 / small),
        lambda: scale.backlog(stage, 200_000 // (small * small)),
        lambda: scale.start_of_many(stage, 1000 // small),
        lambda: scale.pages(stage, 5000),
        lambda: growth.webhooks(stage, 5000 // small),
        lambda: growth.rows(stage, 2_500_000 // (small * small), 5000 // small),
        lambda: growth.on_postgresql(stage, 5000, other_core),
        lambda: search_cost.cost(stage, rounds, 5000),
    ]
    for part in parts:
        began = time.monotonic()
        try:
            rows = part()
        except DemoError as error:
            rows = [Row("a measurement failed", str(error)[:200], reached="missed")]
        for row in rows:
            print(f"{row.name}: {row.shown} {row.reached}", flush=True)
        print(f"  ({time.monotonic() - began:.0f} s)", file=sys.stderr)
        found += rows
    return found


if __name__ == "__main__":
    sys.exit(main())
