"""`python -m bench.companies`: many companies in one server process, at a steady rate.

Prints what was sent and what arrived, the latency from emit to the receiver, and the server's
memory. Exits with 1 if an event was lost.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.processes.stage import (
    Receiver,
    Relay,
    Simulator,
    register,
    settings,
    start_server,
    wait_for,
)
from webhookproxy.demo.programs import DemoError
from webhookproxy.events.catalog import CATALOG

EVENT = "call-was-connected"
ARRIVE_SECONDS = 60.0
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Load:
    """How many companies, and how many events in all, spread evenly over `seconds`."""

    tokens: tuple[str, ...]
    events: int
    seconds: float


def main() -> int:
    """Run the load. Return 0 if no event was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.companies")
    parser.add_argument("--companies", type=int, default=50, help="default 50")
    parser.add_argument("--rate", type=float, default=20.0, help="events/s in all (default 20)")
    parser.add_argument("--seconds", type=float, default=60.0, help="default 60")
    arguments = parser.parse_args()
    events = round(arguments.rate * arguments.seconds)
    if not 1 <= arguments.companies <= 1000 or not 1 <= events <= MOST:
        parser.error(f"this takes 1 to 1000 companies and 1 to {MOST} events in all")
    tokens = tuple(
        f"{number:04}-{secrets.token_urlsafe(24)}" for number in range(arguments.companies)
    )
    try:
        with ExitStack() as stack:
            return run(Load(tokens, events, arguments.seconds), stack)
    except DemoError as error:
        print(f"bench.companies: {error}", file=sys.stderr)
        return 1


def run(load: Load, stack: ExitStack) -> int:
    """Start everything, emit, wait, and print the account."""
    secret = secrets.token_urlsafe(24)
    simulator, receiver = Simulator(stack), Receiver(stack, secret)
    environment = settings(stack)
    register(environment, load.tokens, simulator, receiver, secret)
    server = start_server(environment, stack)
    wait_for(
        lambda: _alive(server) and simulator.sockets() == len(load.tokens),
        f"the connection of {len(load.tokens)} companies",
    )
    print(
        f"{len(load.tokens)} companies, {load.events} events in {load.seconds:.0f} s "
        f"({EVENT}), each to one signed webhook.",
        flush=True,
    )
    emitted = emit(load, simulator)
    until = time.monotonic() + ARRIVE_SECONDS
    while receiver.count() < load.events and time.monotonic() < until:
        server.check_alive()
        time.sleep(0.05)
    # A doubled event would come right after the last.
    server.wait_until_quiet()
    return account(emitted, receiver.arrivals(), server.rss_mb())


def emit(load: Load, simulator: Simulator) -> dict[tuple[str, str], float]:
    """Emit the events, one company after the other. Return when each left, by path and number."""
    sample = CATALOG[EVENT].sample
    emitted: dict[tuple[str, str], float] = {}
    start = time.monotonic()
    for number in range(load.events):
        due = start + number * load.seconds / load.events
        time.sleep(max(0.0, due - time.monotonic()))
        place = number % len(load.tokens)
        payload = {**sample, "seq": number}
        emitted[f"/{place + 1}", str(number)] = time.monotonic()
        simulator.command("emit", token=load.tokens[place], event=EVENT, args=[payload])
    return emitted


def account(emitted: dict[tuple[str, str], float], arrivals: dict[str, Any], rss_mb: float) -> int:
    """Print how many events arrived. Return 0 if all of them did, signed."""
    took = sorted(
        (at - emitted[path, seq]) * 1000
        for path, seen in arrivals["first"].items()
        for seq, at in seen.items()
        if (path, seq) in emitted
    )
    lost = len(emitted) - len(took)
    print(f"sent:      {len(emitted)}")
    print(f"delivered: {len(took)}")
    print(f"lost:      {lost}")
    print(f"doubled:   {arrivals['doubled']}")
    print(f"unsigned:  {arrivals['unsigned']}")
    if took:
        p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
        print(f"latency:   p50 {took[len(took) // 2]:.1f} ms, p99 {p99:.1f} ms, emit to receiver")
    print(f"memory:    {rss_mb:.0f} MB resident, gunicorn's master and its worker together")
    return 1 if lost or arrivals["unsigned"] else 0


def _alive(server: Relay) -> bool:
    server.check_alive()
    return True


if __name__ == "__main__":
    sys.exit(main())
