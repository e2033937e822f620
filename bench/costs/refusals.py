"""`python -m bench.costs.refusals`: the cost of signs of trouble, groups of refusals and minutes.

A burst's results are written by the real statements into a SQLite file, with the signs, the groups
and the counts by the minute and without them, and each transaction is taken back. The runs
alternate in a new order each time, and the medians of their CPU time count. The band beside is the
same difference between two halves of the runs without: what the machine itself adds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from unittest.mock import patch

import flask_migrate
from flask import Flask
from sqlalchemy import Connection, text

from bench.costs.paired import Difference, difference
from bench.retention import insert_old
from bench.rows import Row, at_most, conclude
from webhookproxy import create_app
from webhookproxy.database.migrate import migrations
from webhookproxy.delivery.outcomes import ledger
from webhookproxy.delivery.outcomes.ledger import Health, Result, write_group
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.results import GROUP_MAX
from webhookproxy.delivery.outcomes.retry import Kind, Verdict
from webhookproxy.models.companies import create_company
from webhookproxy.models.deliveries import tables
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

FLOOR_US = GOAL_US = 3.0
REFUSED_SHARE = 0.1
_ACCEPTED = Verdict(DeliveryState.DELIVERED, DeliveryReason.ACCEPTED, counts=True)
_REFUSED = Verdict(DeliveryState.REFUSED, DeliveryReason.REFUSED_STATUS, counts=True)


def main() -> int:
    """Measure. Return 0, or 1 if it costs too much."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs.refusals")
    parser.add_argument("--events", type=int, default=10_000, help="in a burst (default 10000)")
    parser.add_argument("--rounds", type=int, default=9, help="of each (default 9)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = prepared(Path(folder), arguments.events)
        found = cost(app, arguments.events, arguments.rounds)
        app.extensions["store"].close()
    return conclude(found)


def prepared(folder: Path, events: int) -> Flask:
    """Return an application whose database has that many waiting deliveries of one webhook."""
    keys = {"SECRET_KEY": "s" * 40, "DATA_KEYS": "d" * 40, "INSTANCE_PATH": str(folder)}
    app = create_app({**keys, "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite'}"})
    store, policy = app.extensions["store"], app.extensions["policy"]
    with app.app_context():
        migrations(app)
        flask_migrate.upgrade()
    company = CompanyInput(name="Bench", token="t" * 40, socket_url="https://socket.3c.plus")
    store.session(lambda session: create_company(session, company, policy) and None)
    webhook = WebhookInput(name="Bench", url="https://example.com/")
    store.session(lambda session: create_webhook(session, 1, webhook, policy) and None)
    store.run(partial(insert_old, numbers=range(1, events + 1)))
    open_again = "UPDATE deliveries SET state = 'queued', ended_ms = NULL"
    for statement in (open_again, "DELETE FROM attempts"):
        store.run(lambda connection, each=statement: connection.execute(text(each)) and None)
    return app


def cost(app: Flask, events: int, rounds: int) -> list[Row]:
    """Return what they cost an event that is accepted, and one that is refused."""
    more, band, plain = _difference(app, _results(events, 0.0), rounds)
    refused = _difference(app, _results(events, REFUSED_SHARE), rounds).more
    each = more + (refused - more) / REFUSED_SHARE
    return [
        at_most("signs, groups, minutes: µs an event more, all accepted", more, FLOOR_US, GOAL_US),
        Row("  the same between equal halves (A/A)", f"±{band:.2f}"),
        Row("  ratio of the medians", f"{(plain + more) / plain:.3f}"),
        Row(f"  µs more for a refused event, where {REFUSED_SHARE:.0%} are refused", f"{each:.0f}"),
    ]


def _difference(app: Flask, results: list[Result], rounds: int) -> Difference:
    """Return the microseconds that each event costs, with them and without."""

    def run(counts: bool) -> float:
        return _run(app, results, counts=counts) / len(results) * 1e6

    return difference(run, rounds)


def _run(app: Flask, results: list[Result], *, counts: bool) -> float:
    """Write all results in groups, and take them back; return the seconds."""
    connection: Connection
    ungrouped = patch.object(ledger, "group_refusals", lambda _connection, _refused: None)
    uncounted = patch.object(tables, "count_minutes", lambda _connection, _counted: None)
    with app.extensions["store"].engine.connect() as connection, connection.begin() as transaction:
        began = time.thread_time()
        if counts:
            _count_signs(results)
            _write(connection, results)
        else:
            with ungrouped, uncounted:
                _write(connection, results)
        took = time.thread_time() - began
        transaction.rollback()
    return took


def _count_signs(results: list[Result]) -> None:
    """Do what a lane does with each answer to a first attempt."""
    for each in results:
        signs, is_refused = each.health.signs, each.verdict is _REFUSED
        signs.first_attempt(each.now_ms, refused=is_refused, waited_ms=5)
        if is_refused:
            signs.failed(each.now_ms, each.due.id)
        else:
            signs.succeeded(each.now_ms)


def _write(connection: Connection, results: list[Result]) -> None:
    for start in range(0, len(results), GROUP_MAX):
        write_group(connection, results[start : start + GROUP_MAX], again=False)


def _results(events: int, refused: float) -> list[Result]:
    now_ms, health = round(time.time() * 1000), Health()
    answer = '{"error":"telefone: formato inválido","lead":'
    found = []
    for number in range(1, events + 1):
        is_refused = refused > 0 and number % round(1 / refused) == 0
        facts = Facts("evt_1", 1, "call-was-connected", "{}", "sid", "abcd…wxyz", now_ms - 5)
        due = Due(number, 1, f"call-{number}", 0, 0, now_ms, None, None, facts)
        kind, reason, status, said = Kind.SUCCESS, DeliveryReason.ACCEPTED, 200, "ok"
        if is_refused:
            kind, reason, status = Kind.REFUSAL, DeliveryReason.REFUSED_STATUS, 422
            said = f"{answer}{number}}}"
        outcome = Outcome(kind, reason, now_ms - 3, 3, status=status, answer=said)
        verdict = _REFUSED if is_refused else _ACCEPTED
        found.append(Result(due, outcome, verdict, now_ms, False, health, lambda _id: None))
    return found


if __name__ == "__main__":
    sys.exit(main())
