"""A company whose calls are on record at the simulator, and its recoveries, step by step."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.listener.listening import Listening
from tests.support.application import (
    make_company,
    make_webhook,
    rest_on_loopback,
    rows,
    store_of,
    wait_until,
)
from webhookproxy.events.catalog import CATALOG
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import edit_company, find_company
from webhookproxy.models.recovery.asking import ask, confirm
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.pace import Pace
from webhookproxy.platform.rest import Rest
from webhookproxy.recovery.call_keys import CallKeys
from webhookproxy.recovery.recovering import Recovering
from webhookproxy.recovery.writing import Writer

HISTORY = "call-history-was-created"
MINUTE_MS = 60_000


class World:
    """One company that was connected before; time moves when the test says so."""

    def __init__(self, half: Listening, token: str) -> None:
        self.half, self.app, self.token = half, half.app, token
        self.simulator = half.simulator
        self.ahead = 0.0
        app = half.app
        policy = rest_on_loopback(app)
        self.company = make_company(app, self.simulator.url, token)
        self.pace = Pace(lambda: time.monotonic() + self.ahead)
        relay = half.relay
        self.recovering = Recovering(
            relay.store,
            relay.reading,
            Rest(Client(policy, shared_resolver()), self.pace),
            Writer(relay.intake, relay.routes, relay.lanes.attend),
            CallKeys(relay.reading, app.extensions["search"]),
            policy,
            self.now,
        )
        self.odd()
        # Nothing is asked for that is older than the hour of the first event.
        self.hear('["agent-is-idle",{"n":1}]')
        self.execute("UPDATE hourly_events SET hour = hour - 1")

    def now(self) -> float:
        """Return the wall time, moved ahead."""
        return time.time() + self.ahead

    def odd(self, **oddities: Any) -> None:
        """Have the simulator answer oddly; without arguments, well again."""
        self.simulator.control("rest", token=self.token, **{"count": 1_000, **oddities})

    def list_by_second_token(self, *names: str) -> None:
        """Give the company a token for REST, and put calls on record of that one alone."""
        second = f"manager-of-{self.token}"

        def change(session: Session) -> None:
            company = find_company(session, self.company)
            given = replace(company.input(), rest_token=second)
            edit_company(session, company, given, self.app.extensions["policy"])

        store_of(self.app).session(change)
        self.simulator.control("rest", token=second, count=1_000)
        self.record(*names, token=second)

    def webhook(self, **fields: Any) -> int:
        """Create a webhook of the company; return its number."""
        number = make_webhook(self.app, self.company, "http://127.0.0.1:1024/", **fields)
        self.half.notice()
        return number

    def record(self, *names: str, token: str = "") -> list[str]:
        """Put calls on record that no socket brings; return the ids of their histories."""
        whose = token or self.token
        for name in names:
            self.simulator.control("emit", token=whose, event=HISTORY, args=[history(name)])
        return list(names)

    def record_of(self, calls: dict[str, float]) -> None:
        """Put calls on record that no socket brings, each as of some seconds ago."""
        now = time.time()
        dated = {name: now - seconds for name, seconds in calls.items()}
        self.simulator.control("record", token=self.token, calls=dated)

    def hear(self, *packets: str) -> None:
        """Have the socket bring packets."""
        before = len(self.half.events())
        for packet in packets:
            self.half.feed(self.company).event(packet)
        self.half.wait_for_events(before + len(packets))
        # The lanes hear of an event after it is stored.
        assert self.half.intake.drain(20)

    def hear_history(self, *names: str) -> None:
        """Have the socket bring histories."""
        self.hear(*(json.dumps([HISTORY, history(name)]) for name in names))

    def gap(self, minutes_ago: float = 1.0, lasted: float = 0.5) -> int:
        """Have a gap that is over; return the number of its recovery."""
        until = round(time.time() * 1000 - (minutes_ago - lasted) * MINUTE_MS)
        values = {"company": self.company, "since": until - round(lasted * MINUTE_MS)}
        given = {**values, "until": until, "now": round(time.time() * 1000)}
        self.execute(
            "INSERT INTO recoveries (company_id, asked_ms, since_ms, until_ms, state, next_ms)"
            " VALUES (:company, :until, :since, :until, 'running', :now)",
            **given,
        )
        return int(rows(self.app, "SELECT MAX(id) AS id FROM recoveries")[0].id)

    def ask(self) -> int:
        """Ask for the last hour; return the number of the request."""
        now_ms = round(time.time() * 1000)

        def job(session: Any) -> int:
            return ask(session, self.company, now_ms - 60 * MINUTE_MS, now_ms, CLI)

        return store_of(self.app).session(job)

    def confirm(self, recovery: int) -> bool:
        """Have what was counted recovered."""
        return store_of(self.app).session(lambda session: confirm(session, recovery, CLI))

    def recovery(self, number: int) -> Any:
        """Return the row of a recovery."""
        return rows(self.app, "SELECT * FROM recoveries WHERE id = :id", id=number)[0]

    def run(self, number: int, state: str = "finished", seconds: float = 60.0) -> Any:
        """Step until a recovery is in this state, and move over its pauses; return its row."""

        def there() -> Any:
            self.recovering.step()
            # The lanes of a listening half send nothing: each delivery counts as begun.
            self.execute("UPDATE deliveries SET attempts = 1")
            found = self.recovery(number)
            if found.state != state and found.next_ms > self.now() * 1000:
                self.ahead += found.next_ms / 1000 - self.now()
            return found if found.state == state else None

        return wait_until(there, seconds, f"recovery {number} is {state}")

    def execute(self, statement: str, **values: Any) -> None:
        """Change the database."""
        store_of(self.app).run(lambda c: c.execute(text(statement), values) and None)

    def histories(self) -> list[str]:
        """Return the ids of the stored histories, in the order of their arrival."""
        found = [each for each in self.half.events() if each.name == HISTORY]
        return [json.loads(each.payload)["callHistory"]["_id"] for each in found]


def history(name: str) -> dict[str, Any]:
    """Return the payload of a history with this id."""
    sample: Any = CATALOG[HISTORY].sample
    return {**sample, "callHistory": {**sample["callHistory"], "_id": name, "sid": f"sid-{name}"}}
