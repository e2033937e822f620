"""`python -m bench.torture`: see bin/torture."""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import random
import sys
import time

import gevent

from bench.torture import holes
from bench.torture.account import Account, take
from bench.torture.calls import trial
from bench.torture.faults import Faults
from bench.torture.past import Past
from bench.torture.processes import several
from bench.torture.stage import stage
from bench.torture.stream import Stream

# Seconds for the delivery of what waits at the end.
SETTLE_SECONDS = 120.0
# This share of the faults is a kill -9.
DEADLY = 0.6


def main() -> int:
    """Run the torture and print the account. Return 0 only if the promises held."""
    parser = argparse.ArgumentParser(prog="bin/torture")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--holes", type=int, default=0, metavar="N")
    parser.add_argument("--calls", type=int, default=0, metavar="N")
    parser.add_argument("--processes", type=int, default=0, metavar="N")
    parser.add_argument("--shares", type=int, default=8, metavar="N")
    given = parser.parse_args()
    if given.holes:
        return holes.main(given.database, given.holes)
    if given.calls:
        return trial.main(given.database, given.calls, given.seed)
    if given.processes:
        return several.main(given.processes, given.shares, given.minutes * 60, given.seed)
    print(f"{given.database}, {given.minutes:g} minutes, seed {given.seed}", flush=True)
    account, faults, settled = run(given.database, given.minutes * 60, given.seed)
    for line in account.lines():
        print(line)
    print(f"faults: {faults.past.line()}; slowest takeover {faults.slowest_takeover:.2f} s")
    if not settled:
        print(f"something still waited after {SETTLE_SECONDS:g} s")
    good = account.good and settled and account.stored > 0
    print("the promises held" if good else "THE PROMISES DID NOT HOLD")
    return 0 if good else 1


def run(database: str, seconds: float, seed: int) -> tuple[Account, Faults, bool]:
    """Return the account, the faults that were caused, and whether all deliveries ended."""
    # The seed decides which faults come in which order; the machine decides the exact moment.
    with stage(database) as made:
        faults = Faults(made, random.Random(seed), Past(made))
        stream = Stream(made, random.Random(seed + 1))
        made.start_server()
        faults.wait_for_owner()
        stream.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            gevent.sleep(faults.random.uniform(0.2, 2.0))
            faults.throw(deadly=faults.random.random() < DEADLY)
        stream.stop()
        settled = made.settle(SETTLE_SECONDS)
        while made.servers:
            assert made.servers.pop().terminate() == 0
        return take(made, stream.sent, faults.past), faults, settled


if __name__ == "__main__":
    sys.exit(main())
