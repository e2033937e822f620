"""The sending half of a server, in the test's own process."""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gevent
import pytest
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Received
from webhookproxy.database.fence import NO_FENCE, Fence, Fenced
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.delivery.outcomes import retry
from webhookproxy.delivery.outcomes.ledger import Result
from webhookproxy.engine.background_jobs import installation_jobs, share_jobs
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.events.payload import Event
from webhookproxy.listener.journal import Journal
from webhookproxy.listener.routes import Arrival
from webhookproxy.logs.console import Console
from webhookproxy.models.deliveries.tables import Delivery, Due, find_delivery
from webhookproxy.models.webhooks import delete_webhook, edit_webhook, find_webhook
from webhookproxy.models.webhooks import switch_webhook as switch
from webhookproxy.reasons import EventNote
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

T = TypeVar("T")

_numbers = itertools.count(1)


def hurry(monkeypatch: pytest.MonkeyPatch, *, probe: float = 0.05) -> None:
    """Both schedules in hundredths of a second, and without jitter."""
    monkeypatch.setattr(retry, "EVENT_DELAYS", (0.05, 0.1, 0.1, 0.1, 0.1, 0.1))
    monkeypatch.setattr(retry, "REFUSAL_DELAYS", (0.05, 0.1))
    monkeypatch.setattr(retry, "PROBE_FIRST", probe)
    monkeypatch.setattr(retry, "PROBE_LAST", probe * 4)
    monkeypatch.setattr(retry, "JITTER", 0.0)


class Sending:
    """Lanes, journal and housekeeping of an owner, with one company."""

    def __init__(self, app: Flask, console: Console) -> None:
        self.app = app
        self.store = store_of(app)
        self.skew = 0.0
        self._fence = NO_FENCE
        self._console = console
        self._ownership = Ownership(self.store, lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))
        self.journal = Journal(self.store)
        self.company = make_company(app)
        self.build()
        self.reading = self.relay.reading

    def build(self) -> None:
        """Make the relay of a new process."""
        self.relay = Relay(self.app, self.store, self._console, lambda _: None, self.clock)
        self.lanes = self.relay.lanes
        gone = installation_jobs(self.app, self.relay, self.clock).indexer.gone
        self.housekeeping = share_jobs(self.app, self.relay, self.clock, gone=gone).housekeeping

    def clock(self) -> float:
        """Wall time, which a test may put forward by `skew` seconds."""
        return time.time() + self.skew

    def begin(self) -> None:
        """Become the owner and apply what there is."""
        # A server that was killed just now may hold it for a moment.
        wait_until(self._ownership.take, 20, "the lease is free")
        assert self._ownership.fence is not None
        self._fence = self._ownership.fence
        self.journal.start(self._fence)
        self.relay.start(self._fence, continued=())

    def end(self) -> None:
        """Finish and let go."""
        self.lanes.stop(5.0)
        self._ownership.release()

    def crash(self) -> None:
        """Die with what is in flight, and become the owner again as a new process would."""
        self.lanes.results._commit = self._lose  # type: ignore[method-assign, assignment]
        self.lanes._services.greenlets.kill(block=True)
        self.lanes.stop(0.0)
        self._ownership.release()
        self.build()
        self.begin()

    def _lose(self, _group: list[Result], _fence: Fence) -> None:
        """Write nothing, as a process that is dead."""
        raise Fenced

    def webhook(self, url: str, **fields: Any) -> int:
        """A webhook in force; its number."""
        number = make_webhook(self.app, self.company, url, **fields)
        self.notice()
        return number

    def edit(self, webhook_id: int, **fields: Any) -> None:
        """Save a webhook with other fields."""

        def job(session: Session) -> None:
            webhook = find_webhook(session, webhook_id)
            old = webhook.input()
            given = {name: getattr(old, name) for name in WebhookInput.__dataclass_fields__}
            policy = self.app.extensions["policy"]
            edit_webhook(session, webhook, WebhookInput(**{**given, **fields}), policy)

        self.store.session(job)
        self.notice()

    def switch(self, webhook_id: int, state: WebhookState) -> None:
        """Pause, resume or simulate."""
        self.store.session(
            lambda session: switch(session, find_webhook(session, webhook_id), state)
        )
        self.notice()

    def delete(self, webhook_id: int) -> None:
        """Delete a webhook."""
        self.store.session(
            lambda session: delete_webhook(session, find_webhook(session, webhook_id))
        )
        self.notice()

    def arrive(
        self, count: int, key: str | None = None, name: str = "call-was-created", chars: int = 0
    ) -> None:
        """Commit `count` events and offer what is due; without `key` each has its own."""
        self.lanes.offer(self.store_events(count, key, name, chars))

    def store_events(
        self, count: int, key: str | None = None, name: str = "x", chars: int = 0
    ) -> list[Due]:
        """Commit `count` events, and tell no lane.

        The payload of each is `{"n": …, "key": …}`, or longer.
        """
        dues: list[Due] = []
        while count > 0:
            group = [self._arrival(key, name, chars) for _ in range(min(count, 500))]
            dues += self.journal.write(group, self._fence, again=False).dues
            count -= len(group)
        return dues

    def _arrival(self, key: str | None, name: str, chars: int = 0) -> Arrival:
        number = next(_numbers)
        order_key = key or f"key-{number}"
        payload = {"n": number, "key": order_key} | ({"filler": "x" * chars} if chars else {})
        event = Event(name, json.dumps(payload), order_key, 0)
        now_ms = round(self.clock() * 1000)
        routes = self.relay.routes.interested(self.company, name)
        public_id = f"evt_{number:032d}"
        note = None if routes else EventNote.UNWANTED
        return Arrival(self.company, event, public_id, "sid", "abcd…wxyz", now_ms, note, routes)

    def execute(self, statement: str) -> None:
        """Run a statement that changes rows behind everybody's back."""

        def job(connection: Connection) -> None:
            connection.exec_driver_sql(statement)

        self.store.run(job)

    def act(self, do: Callable[[Session, Delivery], T], delivery_id: int) -> T:
        """Do something with a delivery in a transaction of its own, as another process would."""
        return self.store.session(lambda session: do(session, find_delivery(session, delivery_id)))

    def notice(self) -> None:
        """Look for changes that any process made, as the engine does twice a second.

        A new lane reads once from the database: what is stored later it sends only if it is told.
        """
        known = set(self.lanes._lanes)
        self.relay.follow_changes()
        new = [lane for number, lane in self.lanes._lanes.items() if number not in known]
        wait_until(lambda: not any(lane._workers for lane in new), 20, "each new lane has looked")

    def event_ids(self) -> list[int]:
        """The number of every event, in order of arrival."""
        return [row.id for row in rows(self.app, "SELECT id FROM events ORDER BY id")]

    def states(self, webhook_id: int) -> list[tuple[str, str]]:
        """State and reason of every delivery of a webhook, in order of arrival."""
        query = "SELECT state, reason FROM deliveries WHERE webhook_id = :id ORDER BY id"
        return [(row[0], row[1]) for row in rows(self.app, query, id=webhook_id)]

    def wait_for_ends(self, webhook_id: int, count: int, seconds: float = 20.0) -> None:
        """Wait until so many deliveries have ended."""
        query = "SELECT COUNT(*) FROM deliveries WHERE webhook_id = :id AND ended_ms IS NOT NULL"
        wait_until(
            lambda: rows(self.app, query, id=webhook_id)[0][0] >= count, seconds, "enough ends"
        )

    def wait_for(self, query: str, seconds: float = 20.0) -> Any:
        """Wait until a SELECT's first value is true; that value."""

        def value() -> Any:
            found = rows(self.app, query)
            return found[0][0] if found else None

        return wait_until(value, seconds, query)

    def health(self, webhook_id: int) -> Any:
        """The health row of a webhook."""
        return rows(self.app, "SELECT * FROM webhook_health WHERE webhook_id = :id", id=webhook_id)[
            0
        ]

    def check_totals(self, webhook_id: int) -> None:
        """What the health row counts is what the deliveries say."""
        assert self.lanes.results.drain(20)
        query = "SELECT state, COUNT(*) FROM deliveries WHERE webhook_id = :id GROUP BY state"
        counted = {row[0]: row[1] for row in rows(self.app, query, id=webhook_id)}
        health = self.health(webhook_id)
        for state in ("delivered", "refused", "expired", "cancelled", "simulated"):
            assert getattr(health, state) == counted.get(state, 0), state
        assert health.created == sum(counted.values())


def numbers(requests: list[Received]) -> list[int]:
    """The payloads' numbers, in order of arrival at a receiver."""
    return [json.loads(each.body)["payload"]["n"] for each in requests]


def by_key(requests: list[Received]) -> dict[str, list[int]]:
    """The same for each ordering key."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for each in requests:
        payload = json.loads(each.body)["payload"]
        found[payload["key"]].append(payload["n"])
    return found


def attempt(request: Received) -> int:
    """The number in X-Webhook-Attempt."""
    return int(request.headers["X-Webhook-Attempt"])


def first(requests: list[Received]) -> int:
    """The lowest number there is: tests speak of events by their distance from it."""
    return min(numbers(requests))


@contextmanager
def sending(app: Flask) -> Iterator[Sending]:
    """A sending half that owns the sockets."""
    with Path(os.devnull).open("wb") as nowhere:
        console = Console(nowhere.fileno(), logging.INFO, 200)
        half = Sending(app, console)
        half.begin()
        try:
            yield half
        finally:
            half.end()
            console.close()
            gevent.sleep(0)
