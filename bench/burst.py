"""`python -m bench.burst`: a burst through the product and through a plain relay, side by side.

Each relay has its own core; the simulator, the receiver and this script share another. The product
runs as shipped: default settings, gunicorn, every event and result committed to SQLite with
synchronous=FULL. The plain relay (bench/processes/plain_relay.py) stores nothing. The rounds
alternate, and the ratio of the medians counts: both relays see the same machine in the same
minutes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench.processes.stage import (
    Receiver,
    Relay,
    Simulator,
    on_core,
    register,
    settings,
    start_server,
    two_cores,
    wait_for,
)
from webhookproxy.demo.programs import DemoError, flask

WANTED = 1.7
EVENT = "call-was-connected"
# Before the measurement, to warm connections, caches and code.
WARM_UP = 200
ARRIVE_SECONDS = 120.0

Start = Callable[[ExitStack], Relay]


@dataclass(frozen=True, slots=True)
class Round:
    """One burst: events per second, and the relay's CPU time per event in milliseconds."""

    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Stage:
    """The processes that all rounds share."""

    simulator: Simulator
    receiver: Receiver
    events: int


def main() -> int:
    """Run the rounds. Return 0, or 1 if the ratio was missed or an event was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.burst")
    parser.add_argument("--events", type=int, default=5000, help="in a burst (default 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each relay (default 3)")
    arguments = parser.parse_args()
    _, relays_core = two_cores(parser)
    try:
        with ExitStack() as stack:
            return compare(arguments.events, arguments.rounds, relays_core, stack)
    except DemoError as error:
        print(f"bench.burst: {error}", file=sys.stderr)
        return 1


def compare(events: int, rounds: int, core: int, stack: ExitStack) -> int:
    """Run both relays in turn, and print the result of each."""
    secret = secrets.token_urlsafe(24)
    stage = Stage(Simulator(stack), Receiver(stack, secret), events)
    tokens = {name: f"{name}-{secrets.token_urlsafe(24)}" for name in ("product", "plain")}
    environment = settings(stack)
    register(environment, [tokens["product"]], stage.simulator, stage.receiver, secret)
    plain = (
        sys.executable,
        "-m",
        "bench.processes.plain_relay",
        stage.simulator.url,
        tokens["plain"],
    )

    def start_plain(started: ExitStack) -> Relay:
        relay = Relay(*plain, f"{stage.receiver.url}/plain", secret, environment={})
        started.callback(relay.stop)
        return relay

    starts: dict[str, Start] = {
        "plain": start_plain,
        "product": lambda started: start_server(environment, started),
    }
    print(f"{rounds} rounds of {events} events ({EVENT}); relays on core {core}.", flush=True)
    results: dict[str, list[Round]] = {name: [] for name in starts}
    for number in range(1, rounds + 1):
        for name, start in starts.items():
            found = measure(stage, start, tokens[name], core)
            results[name].append(found)
            print(f"round {number}  {_line(name, found)}", flush=True)
    check_stored(environment, rounds * (WARM_UP + events))
    return conclude(results)


def check_stored(environment: dict[str, str], expected: int) -> None:
    """Raise DemoError unless the database has every event as delivered."""
    status = json.loads(flask(environment, "status", "--json"))
    delivered = status["companies"][0]["webhooks"][0]["delivered"]
    print(f"the product's database holds {delivered} deliveries as delivered")
    if delivered != expected:
        raise DemoError(f"{expected} were sent, warm-ups included")


def conclude(results: dict[str, list[Round]]) -> int:
    """Print the medians and their ratio. Return 0 if the ratio was reached."""
    medians = {
        name: Round(
            statistics.median(each.per_second for each in rounds),
            statistics.median(each.cpu_ms for each in rounds),
        )
        for name, rounds in results.items()
    }
    for name, median in medians.items():
        print(f"median   {_line(name, median)}")
    ratio = medians["product"].per_second / medians["plain"].per_second
    print(f"ratio {ratio:.2f}, wanted at least {WANTED}")
    return 0 if ratio >= WANTED else 1


def measure(stage: Stage, start: Start, token: str, core: int) -> Round:
    """Start one relay, send one burst through it, and stop it."""
    with ExitStack() as started:
        with on_core(core):
            relay = start(started)
        wait_for(lambda: _alive(relay) and stage.simulator.sockets(token) == 1, "the connection")
        burst(stage, relay, token, WARM_UP)
        cpu = relay.cpu_seconds()
        seconds = burst(stage, relay, token, stage.events)
        cpu = relay.cpu_seconds() - cpu
        return Round(stage.events / seconds, cpu * 1000 / stage.events)


def burst(stage: Stage, relay: Relay, token: str, events: int) -> float:
    """Emit, wait until everything has arrived, and let the relay finish.

    Returns the seconds from the first emit to the last arrival. Raises DemoError if an event is
    missing or its signature is wrong.
    """
    stage.receiver.forget()
    began = time.monotonic()
    stage.simulator.command("burst", count=events, token=token, event=EVENT)
    wait_for(
        lambda: _alive(relay) and stage.receiver.count() >= events,
        f"the arrival of {events} events",
        ARRIVE_SECONDS,
    )
    relay.wait_until_quiet()
    arrivals = stage.receiver.arrivals()
    ((_, first),) = arrivals["first"].items()
    wrong = arrivals["unsigned"] or arrivals["doubled"]
    if sorted(map(int, first)) != list(range(1, events + 1)) or wrong:
        raise DemoError(
            f"{len(first)} of {events} events arrived, {arrivals['doubled']} twice, "
            f"{arrivals['unsigned']} with a wrong signature"
        )
    return float(max(first.values()) - began)


def _alive(relay: Relay) -> bool:
    relay.check_alive()
    return True


def _line(name: str, found: Round) -> str:
    return f"{name:8} {found.per_second:7.0f} events/s  {found.cpu_ms:.2f} ms CPU per event"


if __name__ == "__main__":
    sys.exit(main())
