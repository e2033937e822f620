"""Alerts over a fake channel: rows say what is wrong, a clock that tests move says when."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, rows, store_of
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.alerts.telling.outbox import Outbox
from webhookproxy.alerts.watching.states import State, Subject
from webhookproxy.alerts.watching.watcher import Watcher
from webhookproxy.extensions import db
from webhookproxy.models import AlertAddress
from webhookproxy.models.accounts.people import create_user, grant
from webhookproxy.models.types import to_ms

URL = "http://127.0.0.1:4009/"
# A Monday, 12:00 in Brasília.
NOON = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


@dataclass(slots=True)
class FakeChannel:
    """Takes every message, or answers for an address as a test says."""

    sent: list[tuple[str, Message]] = field(default_factory=list)
    answers: dict[str, Callable[[], None]] = field(default_factory=dict)

    def send(self, _kind: str, target: str, _secret: str | None, message: Message) -> None:
        if target in self.answers:
            self.answers[target]()
        self.sent.append((target, message))


def refuse(reason: str = "bounced", *, is_final: bool = True) -> Callable[[], None]:
    """Return what refuses every message."""

    def answer() -> None:
        raise NotSent(reason, is_final=is_final)

    return answer


class Alerting:
    """The watcher and the outbox of an owner, and what they look at."""

    def __init__(self, app: Flask, began: datetime = NOON) -> None:
        self.app = app
        self.store = store_of(app)
        self.now = began
        self.channel = FakeChannel()
        self.installation: dict[Subject, State] = {}
        with app.app_context():
            self.reading: Engine = db.engine
        self.build()

    def build(self) -> None:
        """Make the watcher and the outbox of a new owner."""
        self.watcher = Watcher(self.store, self.reading, lambda: self.installation, self.clock)
        self.outbox = Outbox(
            self.store, self.reading, self.channel, "https://relay.example", self.clock
        )

    def clock(self) -> float:
        return self.now.timestamp()

    def run(self, *, minutes: float = 0.0, step: float = 1.0) -> list[Message]:
        """Let time pass in steps of `step` minutes; return what was sent meanwhile."""
        before, until = len(self.channel.sent), self.now + timedelta(minutes=minutes)
        while True:
            self.watcher.step()
            while self.outbox.step():
                assert self.outbox.join(20)
            if self.now >= until:
                return [message for _, message in self.channel.sent[before:]]
            self.now = min(until, self.now + timedelta(minutes=step))

    def company(self, name: str = "Loja") -> int:
        """A company that is connected."""
        number = make_company(
            self.app, name=name, token=f"token-{secrets.token_hex(8)}", connected=True
        )
        self.connection(number, "connected", "accepted")
        return number

    def webhook(self, company: int, name: str = "CRM") -> int:
        """A webhook that works."""
        return make_webhook(self.app, company, URL, name=name)

    def user(self, email: str, *companies: int, admin: bool = False) -> int:
        """A user with one confirmed address, and rights to these companies."""

        def job(session: Session) -> int:
            user = create_user(session, email, "hash", admin=admin)
            for company in companies:
                grant(session, user, company)
            return user.id

        user_id = self.store.session(job)
        self.address(user_id, email)
        return user_id

    def address(self, user_id: int, target: str, position: int = 1) -> None:
        """A confirmed address."""
        address = {"user_id": user_id, "kind": "email", "target": target, "label": "jo…"}
        times = {"created_at": self.now, "confirmed_at": self.now}
        self.store.session(
            lambda session: session.add(AlertAddress(**address, **times, position=position))
        )

    def execute(self, statement: str, **values: Any) -> None:
        """Run a statement; instants are stored as the tables have them."""
        given = {
            key: to_ms(each) if isinstance(each, datetime) else each for key, each in values.items()
        }
        self.store.run(lambda connection: connection.execute(text(statement), given) and None)

    def connection(self, company: int, state: str, reason: str) -> None:
        """Have a company's connection be in a state since now, with its gap."""
        self.execute(
            "UPDATE connections SET state = :state, reason = :reason, since = :now, refused_since ="
            " CASE WHEN :refused THEN CAST(:now AS BIGINT) END WHERE company_id = :company",
            company=company,
            state=state,
            refused=state == "token_refused",
            reason=reason,
            now=self.now,
        )
        if state == "connected":
            self.execute(
                "UPDATE gaps SET ended_at = :now WHERE company_id = :company AND ended_at IS NULL",
                company=company,
                now=self.now,
            )
        else:
            self.execute(
                "INSERT INTO gaps (company_id, started_at, reason)"
                " SELECT :company, CAST(:now AS BIGINT), :reason WHERE NOT EXISTS"
                " (SELECT 1 FROM gaps WHERE company_id = :company AND ended_at IS NULL)",
                company=company,
                reason=reason,
                now=self.now,
            )

    def fail(self, webhook: int, status: int = 500) -> None:
        """Have a webhook begin to fail now."""
        self.execute(
            "UPDATE webhook_health SET circuit_opened_at = :now, failing_since = :now,"
            " failures_since = :now, failures = 5, working_since = NULL,"
            " last_error = 'failed_status', last_error_status = :status"
            " WHERE webhook_id = :webhook",
            webhook=webhook,
            status=status,
            now=self.now,
        )
        self.execute(
            "INSERT INTO outages (webhook_id, kind, reason, status, began_at, first_id, waited,"
            " delivered, missed, calls, is_cut) VALUES (:webhook, 'failing', 'failed_status',"
            " :status, :now, 1, 0, 0, 0, 0, :no)",
            webhook=webhook,
            status=status,
            now=self.now,
            no=False,
        )

    def mend(self, webhook: int, *, settled: bool = True) -> None:
        """Have a webhook be accepted again now, and the account of its outage be final."""
        self.execute(
            "UPDATE webhook_health SET circuit_opened_at = NULL, working_since = :now,"
            " failures_since = NULL, failures = 0 WHERE webhook_id = :webhook",
            webhook=webhook,
            now=self.now,
        )
        self.execute(
            "UPDATE outages SET ended_at = :now, waited = 183, delivered = 171, calls = 12"
            " WHERE webhook_id = :webhook AND ended_at IS NULL",
            webhook=webhook,
            now=self.now,
        )
        if settled:
            self.settle(webhook)

    def settle(self, webhook: int) -> None:
        """Have everything of a webhook's outages be delivered."""
        self.execute(
            "UPDATE outages SET settled_at = :now, delivered = waited WHERE webhook_id = :webhook",
            webhook=webhook,
            now=self.now,
        )

    def stored(self, query: str, **values: Any) -> list[Any]:
        return rows(self.app, query, **values)
