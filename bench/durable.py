"""`python -m bench.durable [--quick]`: the product beside a relay that stores its events too.

The relay is BullMQ over Redis with its append-only file, as most people would build it who must not
lose an event. Redis and its relay have the core that the product has. With `appendfsync always` it
keeps the product's promise: an event is on the disk before it is sent. With `everysec` a cut of the
power loses what came in the last second.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack

from bench.load import Load
from bench.processes.relays import Stage, install, start_durable, why_not_durable
from bench.processes.stage import Relay, own_folder, two_cores
from bench.rows import Row, at_least, at_most, conclude
from bench.speed import Start, alternated, fresh, product
from webhookproxy.demo.programs import DemoError

# Redis' words for when it writes its append-only file through to the disk.
FSYNC = ("always", "everysec")


def main() -> int:
    """Measure. Return 0, or 1 if a floor was missed or an event was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.durable", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, not three")
    quick = parser.parse_args().quick
    _, relays_core = two_cores(parser)
    try:
        with ExitStack() as stack:
            stage = Stage(stack, relays_core)
            return conclude(measure(stage, rounds=1 if quick else 3, events=5000))
    except DemoError as error:
        print(f"bench.durable: {error}", file=sys.stderr)
        return 1


def measure(stage: Stage, *, rounds: int, events: int) -> list[Row]:
    """Return the rows on bursts and latency, or one that says why there are none."""
    if reason := why_not_durable():
        return [Row("BullMQ", f"skipped: {reason}")]
    installed = install(stage)
    starts: dict[str, Start] = {"product": lambda started: product(stage, installed, started)}
    starts |= {name: _bullmq(stage, name) for name in FSYNC}
    print(f"load of the machine before: {os.getloadavg()[0]:.2f}", flush=True)
    medians = alternated(stage, starts, tuple(starts), rounds=rounds, events=events)
    return [row for name in starts for row in _figures(name, medians)] + [
        row for name in FSYNC for row in _ratios(name, medians)
    ]


def _bullmq(stage: Stage, fsync: str) -> Start:
    def start(started: ExitStack) -> tuple[Relay, str]:
        folder = own_folder(started)
        return fresh(lambda token: start_durable(stage, token, fsync, folder, started))

    return start


def _figures(name: str, medians: dict[str, Load]) -> list[Row]:
    relay = name if name == "product" else f"BullMQ {name}"
    burst, steady = medians[f"{name} burst"], medians[f"{name} steady"]
    return [
        Row(
            f"{relay} burst: events/s; CPU ms per event",
            f"{burst.per_second:,.0f}; {burst.cpu_ms:.2f}",
        ),
        Row(f"{relay} at 300/s: p50, p99 in ms", f"{steady.p50:.2f}, {steady.p99:.2f}"),
    ]


def _ratios(name: str, medians: dict[str, Load]) -> list[Row]:
    ours, theirs = medians["product burst"], medians[f"{name} burst"]
    our_wait, their_wait = medians["product steady"], medians[f"{name} steady"]
    return [
        at_least(f"burst / BullMQ {name}", ours.per_second / theirs.per_second, 1.2, 2.0),
        at_most(f"p50 at 300/s / BullMQ {name}", our_wait.p50 / their_wait.p50, 2.0, 1.0),
        Row(f"p99 at 300/s / BullMQ {name}", f"{our_wait.p99 / their_wait.p99:.2f}"),
    ]


if __name__ == "__main__":
    sys.exit(main())
