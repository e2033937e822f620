"""`python -m bench.retention`: old rows are removed while events flow at a steady rate.

A third of the rows are events older than RETENTION_DAYS, a third their deliveries, a third the
attempts. The server runs as shipped, on SQLite or, with --database, on an empty PostgreSQL
database. It prints what was sent and what arrived, the latency during and after the removal, and
the longest time for which the writer was held. Exits with 1 if an event was lost.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from sqlalchemy import Connection, text

from bench.processes.stage import (
    Receiver,
    Relay,
    Simulator,
    register,
    settings,
    start_server,
    wait_for,
)
from webhookproxy import create_app
from webhookproxy.database.bulk import insert_rows
from webhookproxy.demo.programs import DemoError
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.contract import new_event_id
from webhookproxy.housekeeping.purge import WORTH_A_LINE

EVENT = "call-was-connected"
OLD_DAYS = 8
CALM_SECONDS = 15.0
PURGE_SECONDS = 1800.0
ARRIVE_SECONDS = 60.0
_GROUP = 5000
_LINE = re.compile(r"removed ([0-9]+) events .*?; (.*)")
_EVENTS = (
    "id",
    "public_id",
    "company_id",
    "name",
    "payload",
    "order_key",
    "socket_id",
    "token_mask",
    "received_ms",
    "hidden",
)
_DELIVERIES = (
    "id",
    "event_id",
    "webhook_id",
    "order_key",
    "state",
    "reason",
    "tries",
    "attempts",
    "born_ms",
    "ended_ms",
)
_ATTEMPTS = ("delivery_id", "number", "started_ms", "duration_ms", "status", "reason", "probe")


def main() -> int:
    """Run the measurement. Return 0 if no event was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.retention")
    parser.add_argument("--rows", type=int, default=1_000_000, help="old rows (default 1000000)")
    parser.add_argument("--rate", type=float, default=100.0, help="events/s (default 100)")
    parser.add_argument("--database", default="", help="default: a SQLite file of its own")
    arguments = parser.parse_args()
    if arguments.rows < 3 * WORTH_A_LINE:
        parser.error(f"this takes at least {3 * WORTH_A_LINE} rows")
    try:
        with ExitStack() as stack:
            return run(arguments.rows // 3, arguments.rate, arguments.database, stack)
    except DemoError as error:
        print(f"bench.retention: {error}", file=sys.stderr)
        return 1


def run(old: int, rate: float, database: str, stack: ExitStack) -> int:
    """Fill the database, start the server, emit until the old events are gone, print it."""
    secret, token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    simulator, receiver = Simulator(stack), Receiver(stack, secret)
    environment = settings(stack)
    environment["DATABASE_URL"] = database or environment["DATABASE_URL"]
    register(environment, [token], simulator, receiver, secret)
    fill(environment, old)
    server = start_server(environment, stack)
    wait_for(lambda: simulator.sockets() == 1, "the connection")
    print(f"{old * 3} old rows ({old} events); {rate:.0f} events/s ({EVENT}) flow.", flush=True)
    began = time.monotonic()
    emitted: dict[str, float] = {}
    for number in paced(rate, PURGE_SECONDS):
        emit(simulator, token, number, emitted)
        if _lines(server, old):
            break
    took, during = time.monotonic() - began, len(emitted)
    for number in paced(rate, CALM_SECONDS, first=during):
        emit(simulator, token, number, emitted)
    until = time.monotonic() + ARRIVE_SECONDS
    while receiver.count() < len(emitted) and time.monotonic() < until:
        server.check_alive()
        time.sleep(0.05)
    holds = _lines(server, old)
    if not holds:
        raise DemoError(f"the old rows were not removed within {PURGE_SECONDS:.0f} s")
    print(f"removed:   {old * 3} rows in {took:.0f} s, {old * 3 / took:.0f} rows/s")
    for words in holds:
        print(words)
    return account(emitted, during, receiver)


def fill(environment: dict[str, str], old: int) -> None:
    """Store old events, each with an ended delivery and its attempt."""
    app = create_app(environment)
    store = app.extensions["store"]
    with app.app_context():
        for first in range(1, old + 1, _GROUP):
            store.run(partial(insert_old, numbers=range(first, min(first + _GROUP, old + 1))))
        counted = f"UPDATE webhook_health SET created = {old}, delivered = {old}"
        store.run(lambda connection: connection.execute(text(counted)) and None)
    store.close()


def insert_old(connection: Connection, numbers: range) -> None:
    at = round(time.time() * 1000) - OLD_DAYS * 86_400_000
    payload = '{"n": 1, "text": "' + "x" * 400 + '"}'
    events = [
        (n, new_event_id(at), 1, EVENT, payload, f"call-{n % 50}", "sid", "abcd…wxyz", at, 0)
        for n in numbers
    ]
    deliveries = [
        (n, n, 1, f"call-{n % 50}", "delivered", "accepted", 1, 1, at, at + 50) for n in numbers
    ]
    attempts = [(n, 1, at, 40, 200, "accepted", False) for n in numbers]
    insert_rows(connection, "events", _EVENTS, events)
    insert_rows(connection, "deliveries", _DELIVERIES, deliveries)
    insert_rows(connection, "attempts", _ATTEMPTS, attempts)


def paced(rate: float, seconds: float, first: int = 0) -> Iterator[int]:
    """Yield numbers from `first` on, at an even rate, for `seconds`."""
    start = time.monotonic()
    for count in range(round(rate * seconds)):
        time.sleep(max(0.0, start + count / rate - time.monotonic()))
        yield first + count


def emit(simulator: Simulator, token: str, number: int, emitted: dict[str, float]) -> None:
    """Emit one event, and note when it left."""
    payload = {**CATALOG[EVENT].sample, "seq": number}
    emitted[str(number)] = time.monotonic()
    simulator.command("emit", token=token, event=EVENT, args=[payload])


def account(emitted: dict[str, float], during: int, receiver: Receiver) -> int:
    """Print how many events arrived. Return 0 if all of them did, signed."""
    arrivals = receiver.arrivals()
    seen = arrivals["first"].get("/1", {})
    took = {int(n): (seen[n] - at) * 1000 for n, at in emitted.items() if n in seen}
    lost = len(emitted) - len(took)
    print(f"sent:      {len(emitted)}")
    print(f"delivered: {len(took)}")
    print(f"lost:      {lost}")
    print(f"doubled:   {arrivals['doubled']}")
    for name, found in (
        ("meanwhile", [ms for n, ms in took.items() if n < during]),
        ("afterwards", [ms for n, ms in took.items() if n >= during]),
    ):
        found.sort()
        p50, p99 = (found[len(found) * share // 100] for share in (50, 99))
        print(f"latency:   p50 {p50:.1f} ms, p99 {p99:.1f} ms, emit to receiver, {name}")
    return 1 if lost or arrivals["unsigned"] else 0


def _lines(server: Relay, old: int) -> list[str]:
    """Return the server's lines about holding the writer, when they cover all old events."""
    server.check_alive()
    found = [match for line in list(server.lines) if (match := _LINE.search(line))]
    # The newest event stays until another event is stored.
    told = sum(int(match[1]) for match in found)
    return [match[2].strip() for match in found] if told >= old - WORTH_A_LINE else []


if __name__ == "__main__":
    sys.exit(main())
