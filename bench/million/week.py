"""`python -m bench.million.week DATABASE_URL`: make a database with a week of a busy relay.

It has a million events and three million deliveries (or another number), with attempts, counters
and totals, of ten companies with three webhooks each; the first company has seven events in ten.
Only the public ids differ from run to run. The database must be new; its tables are made here.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from bench.million.calls import Call, Template, templates
from webhookproxy import create_app
from webhookproxy.demo.programs import flask
from webhookproxy.events.contract import new_event_id
from webhookproxy.housekeeping.retention import COUNTERS_DAYS
from webhookproxy.models.companies import create_company
from webhookproxy.models.deliveries.refusals import GROUPS_MAX
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.network.guard import Policy
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

COMPANIES = 10
WEBHOOKS = 3
DAYS = 7
EVENTS_PER_CALL = 5
# Weeks of hourly counters before the first event.
WEEKS_BEFORE = 8
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_GROUP = 20_000

Row = tuple[Any, ...]
Put = Callable[[str, Sequence[str], Iterable[Row]], None]

_COLUMNS = {
    "events": (
        "id", "public_id", "company_id", "name", "payload", "order_key", "socket_id",
        "token_mask", "received_ms", "hidden",
    ),
    "deliveries": (
        "id", "event_id", "webhook_id", "order_key", "state", "reason", "tries", "attempts",
        "born_ms", "first_attempt_ms", "due_ms", "ended_ms", "status", "condition", "resends",
    ),
    "attempts": (
        "delivery_id", "number", "started_ms", "duration_ms", "status", "reason", "answer",
        "probe", "webhook_id",
    ),
    "hourly_events": ("company_id", "hour", "name", "count"),
    "hourly_deliveries": ("webhook_id", "hour", "outcome", "bucket", "count"),
    "refusal_groups": ("webhook_id", "day", "status", "reason", "shape", "count", "sample_id"),
    "outages": (
        "webhook_id", "kind", "reason", "status", "began_at", "ended_at", "first_id", "waited",
        "delivered", "missed", "calls", "is_cut", "settled_at",
    ),
}  # fmt: skip
# State, reason, status, attempts; how many of a thousand.
_ENDS = (
    (("delivered", "accepted", 200, 1), 940),
    (("refused", "refused_status", 404, 3), 15),
    (("refused", "exhausted", 500, 8), 5),
    (("expired", "max_age", 503, 6), 5),
    (("cancelled", "discarded", None, 0), 5),
    (("filtered", "filtered_out", None, 0), 20),
    (("simulated", "simulation", None, 0), 10),
)
_ENDED = ("delivered", "refused", "expired", "cancelled", "simulated")


class Week:
    """Makes the rows of a week that ends now."""

    def __init__(self, events: int, seed: int = 7) -> None:
        self.events = events
        self._random = random.Random(seed)
        self._templates: list[Template] = templates()
        self._ends = [end for end, times in _ENDS for _ in range(times)]
        self._now_ms = round(time.time() * 1000)
        self._step_ms = DAYS * _DAY_MS / events
        self.hourly_events: defaultdict[Row, int] = defaultdict(int)
        self.hourly_deliveries: defaultdict[Row, int] = defaultdict(int)
        self.totals: defaultdict[int, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def group(self, first: int) -> tuple[list[Row], list[Row], list[Row]]:
        """Return the next events from this number on, their deliveries and their attempts."""
        rows: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
        for number in range(first, min(first + _GROUP, self.events + 1)):
            self._event(number, *rows)
        return rows

    def before(self) -> list[Row]:
        """Return the counters of the weeks before: working hours of working days."""
        now, names = self._now_ms // _HOUR_MS, sorted({each.name for each in self._templates})[:12]
        return [
            (company, hour, name, 40)
            for company in range(1, COMPANIES + 1)
            for hour in range(now - WEEKS_BEFORE * 168, now - DAYS * 24)
            if (hour // 24 + 3) % 7 < 5 and 11 <= hour % 24 < 21
            for name in names
        ]

    def refusals(self) -> list[Row]:
        """Return as many groups of refusals as each webhook and day may have."""
        today, last = self._now_ms // _DAY_MS, self.events * WEBHOOKS
        return [
            (webhook, today - day, 404, "refused_status", f"the answer {shape}", 3, last - shape)
            for webhook in range(1, COMPANIES * WEBHOOKS + 1)
            for day in range(DAYS)
            for shape in range(GROUPS_MAX)
        ]

    def outages(self) -> list[Row]:
        """Return four outages a day of each webhook, for as long as they are stored."""
        ends = [
            self._now_ms - day * _DAY_MS - hour * _HOUR_MS
            for day in range(COUNTERS_DAYS)
            for hour in (1, 4, 7, 10)
        ]
        account = (1, 183, 180, 3, 41, False)
        return [
            (webhook, "failing", "failed_status", 503, end - 180_000, end, *account, end + 90_000)
            for webhook in range(1, COMPANIES * WEBHOOKS + 1)
            for end in ends
        ]

    def _event(
        self, number: int, events: list[Row], deliveries: list[Row], tried: list[Row]
    ) -> None:
        call = Call(number // EVENTS_PER_CALL)
        template = self._random.choice(self._templates)
        # All events of a call belong to one company.
        company = 1 if call.number % 10 < 7 else 2 + call.number % (COMPANIES - 1)
        at = round(self._now_ms - (self.events - number) * self._step_ms)
        payload, key = template.filled(call)
        masked = "abcd…wxyz"
        public_id = new_event_id(at)
        events.append((number, public_id, company, template.name, payload, key, "s", masked, at, 0))
        self.hourly_events[company, at // _HOUR_MS, template.name] += 1
        for place in range(1, WEBHOOKS + 1):
            webhook = (company - 1) * WEBHOOKS + place
            delivery = (number - 1) * WEBHOOKS + place
            self._delivery(delivery, number, webhook, key, at, deliveries, tried)

    def _delivery(
        self,
        delivery: int,
        event: int,
        webhook: int,
        key: str,
        at: int,
        deliveries: list[Row],
        tried: list[Row],
    ) -> None:
        state, reason, status, attempts = self._random.choice(self._ends)
        took = 1 << self._random.randrange(3, 9)
        ended: int | None = at + took
        # The newest deliveries of one webhook still wait: its receiver is down.
        if webhook == WEBHOOKS and event > self.events - self.events // 100:
            state, reason, status, attempts, ended = "retrying", "failed_status", 503, 2, None
        first = at + 1 if attempts else None
        due = None if ended else self._now_ms + 60_000
        condition = "call.status é igual a 7" if state == "filtered" else None
        ends = (first, due, ended, status, condition, 0)
        deliveries.append(
            (delivery, event, webhook, key, state, reason, attempts, attempts, at, *ends)
        )
        answer = "ok" if state == "delivered" else "the receiver says no " * 40
        tried += [
            (delivery, number, at + number, took, status, reason, answer, False, webhook)
            for number in range(1, attempts + 1)
        ]
        totals = self.totals[webhook]
        totals["created"] += state != "filtered"
        totals[state] += 1
        if ended:
            self.hourly_deliveries[webhook, at // _HOUR_MS, state, took.bit_length()] += 1


def main() -> int:
    """Make the database; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.million.week", description=__doc__)
    parser.add_argument("database", help="a SQLAlchemy URL, of SQLite or PostgreSQL")
    parser.add_argument("--events", type=int, default=1_000_000)
    arguments = parser.parse_args()
    environment = {"DATABASE_URL": arguments.database, "ALLOW_PRIVATE_TARGETS": "1"}
    began = time.monotonic()
    make(environment, arguments.events)
    print(f"{arguments.events:,} events made in {time.monotonic() - began:.0f} s")
    return 0


def make(environment: dict[str, str], events: int) -> None:
    """Make the tables and fill them; `environment` has the settings of the product."""
    flask(environment, "db", "upgrade")
    app = create_app(environment)
    with app.app_context():
        app.extensions["store"].session(lambda session: _register(session, app))
        week = Week(events)
        fill(environment["DATABASE_URL"], week)
        app.extensions["store"].run(lambda connection: _count(connection, week))
    app.extensions["store"].close()


def fill(url: str, week: Week) -> None:
    """Write the rows of a week, one group at a time."""
    into = _into_sqlite if make_url(url).get_backend_name() == "sqlite" else _into_postgresql
    into(url, week)


def _register(session: Session, app: Any) -> None:
    policy: Policy = app.extensions["policy"]
    for company in range(1, COMPANIES + 1):
        token = f"bench-token-of-company-{company:04d}"
        given = CompanyInput(f"Empresa {company}", token, "http://127.0.0.1:4999")
        made = create_company(session, given, policy)
        for webhook in range(1, WEBHOOKS + 1):
            target = WebhookInput(f"CRM {company}.{webhook}", f"http://127.0.0.1:4999/{webhook}")
            create_webhook(session, made.id, target, policy)


def _write(put: Put, commit: Callable[[], None], week: Week) -> None:
    for first in range(1, week.events + 1, _GROUP):
        events, deliveries, attempts = week.group(first)
        put("events", _COLUMNS["events"], events)
        put("deliveries", _COLUMNS["deliveries"], deliveries)
        put("attempts", _COLUMNS["attempts"], attempts)
        commit()
    counted = [(*key, count) for key, count in week.hourly_events.items()]
    put("hourly_events", _COLUMNS["hourly_events"], counted + week.before())
    ended = [(*key, count) for key, count in week.hourly_deliveries.items()]
    put("hourly_deliveries", _COLUMNS["hourly_deliveries"], ended)
    put("refusal_groups", _COLUMNS["refusal_groups"], week.refusals())
    put("outages", _COLUMNS["outages"], week.outages())
    commit()


def _into_sqlite(url: str, week: Week) -> None:
    with closing(sqlite3.connect(make_url(url).database or "")) as connection:
        # The database can be made again, so a crash does no harm.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")

        def put(table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
            )

        _write(put, connection.commit, week)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _into_postgresql(url: str, week: Week) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:

        def put(table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with connection.cursor().copy(copy) as copying:
                for row in rows:
                    copying.write_row(row)

        _write(put, connection.commit, week)
        connection.autocommit = True
        # As autovacuum would have done within the week.
        connection.execute("VACUUM ANALYZE")


def _count(connection: Connection, week: Week) -> None:
    """Write the totals of each webhook and company, and the owner's highest ids."""
    for webhook, totals in sorted(week.totals.items()):
        counts = ", ".join(f"{column} = {totals[column]}" for column in ("created", *_ENDED))
        connection.execute(text(f"UPDATE webhook_health SET {counts} WHERE webhook_id = {webhook}"))
    connection.execute(
        text(
            "UPDATE connections SET events ="
            " (SELECT COALESCE(SUM(h.count), 0) FROM hourly_events h"
            " WHERE h.company_id = connections.company_id)"
        )
    )


if __name__ == "__main__":
    sys.exit(main())
