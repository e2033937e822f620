"""`python -m bench.lanes.hub [--rows N]`: measure how long a backlog holds the hub.

Prints the longest CPU between two switches of the hub while N rows of 1, 3 or 300 keys, or with one
key each, wait for one webhook: at the start, after a save, after a resend and after a takeover,
with a receiver that answers and with one that refuses, on both databases.
"""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gevent
from sqlalchemy import Connection, text

from tests.delivery.lanes_world import Sending, sending
from tests.support import application as world
from tests.support import postgresql
from tests.support.hub_watch import HubWatch, watching
from tests.support.receiver import OK, Plain, Receiver
from webhookproxy.models.deliveries.actions import Resent, resend, try_now

LIMIT_MS = 20.0
# The first moments count; after them the lanes only send.
WATCHED_SECONDS = 1.5
ROUNDS = 5

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)",
    "postgresql": "WITH n (i) AS (SELECT generate_series(1, :rows))",
}
_EVENTS = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) {numbers} SELECT i, 'evt_' || i, :company, 'x', :payload,"
    " 'k' || (i % :keys), 's', 'm', :now, 0 FROM n"
)
_DELIVERIES = text(
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms, resends) SELECT id, id, :webhook, order_key, 'queued', 'waiting_turn', 0, 0,"
    " received_ms, 0 FROM events"
)
_CREATED = text("UPDATE webhook_health SET created = :rows WHERE webhook_id = :webhook")


def fill(half: Sending, webhook: int, rows: int, keys: int) -> None:
    """Write waiting rows of `keys` keys for a webhook; its lane is not told of them."""
    dialect = half.reading.dialect.name

    def job(connection: Connection) -> None:
        given = {"rows": rows, "keys": keys, "company": half.company, "payload": '{"n": 1}'}
        events = text(_EVENTS.format(numbers=_NUMBERS[dialect]))
        connection.execute(events, {**given, "now": round(half.clock() * 1000)})
        connection.execute(_DELIVERIES, {"webhook": webhook})
        connection.execute(_CREATED, {"rows": rows, "webhook": webhook})
        if dialect == "postgresql":
            # As autovacuum does behind the traffic.
            connection.execute(text("ANALYZE deliveries"))
            connection.execute(text("ANALYZE events"))

    half.store.run(job)


def acts(half: Sending, webhook: int) -> dict[str, Callable[[], None]]:
    """What is done to the lane, in this order."""
    timeouts = itertools.count(14)

    def ask_for_one() -> None:
        """Have the first delivery sent again or, if it waits still, tried now."""
        first = world.rows(half.app, "SELECT MIN(id) FROM deliveries")[0][0]
        if half.act(resend, first) is Resent.ALREADY_WAITING:
            half.act(try_now, first)
        half.notice()

    return {
        "start": half.crash,
        "save": lambda: half.edit(webhook, timeout=next(timeouts)),
        "resend": ask_for_one,
        "takeover": half.crash,
    }


def measured(
    half: Sending, rows: int, keys: int, answer: Plain, seconds: float
) -> Iterator[tuple[str, float, str]]:
    """Do each act and give its name, the longest CPU in milliseconds, and the greenlet's name."""
    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url())
        fill(half, webhook, rows, keys)
        with watching() as watch:
            for name, act in acts(half, webhook).items():
                yield (name, *_least(watch, act, seconds))


def _least(watch: HubWatch, act: Callable[[], None], seconds: float) -> tuple[float, str]:
    """Do an act; return the longest CPU and the greenlet's name.

    One that passes the limit is done again, a few times at most: what this machine did meanwhile is
    not there each time.
    """
    found: list[tuple[float, str]] = []
    while not found or (min(found)[0] >= LIMIT_MS and len(found) < ROUNDS):
        watch.forget()
        act()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            gevent.sleep(0.01)
        found.append((watch.longest_ms, watch.by))
    return min(found)


@contextmanager
def databases(stack: ExitStack) -> Iterator[dict[str, str]]:
    """Give the address of an empty database of each kind."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    sqlite = f"sqlite:///{folder / 'hub.sqlite'}"
    world.migrate(sqlite)
    with postgresql.running() as server, server.database() as url:
        yield {"SQLite": sqlite, "PostgreSQL": url}


def main() -> int:
    """Print the table. Return 1 if the hub was held."""
    parser = argparse.ArgumentParser(prog="bench.lanes.hub", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    rows = parser.parse_args().rows
    print("| database | rows | keys | receiver | at | longest CPU, ms | greenlet |")
    print("|---|---|---|---|---|---|---|")
    most = 0.0
    refusing: Plain = (503, {}, b"")
    for keys in (1, 3, 300, rows):
        for shown, answer in (("answers", OK), ("refuses", refusing)):
            with ExitStack() as stack, databases(stack) as urls:
                for name, url in urls.items():
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                    with world.application(url, folder) as app, sending(app) as half:
                        for act, ms, by in measured(half, rows, keys, answer, WATCHED_SECONDS):
                            most = max(most, ms)
                            print(f"| {name} | {rows:,} | {keys:,} | {shown} | {act} "
                                  f"| {ms:.1f} | {by} |", flush=True)  # fmt: skip
    print(f"\nlongest: {most:.1f} ms (limit {LIMIT_MS:g})")
    return 0 if most <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
