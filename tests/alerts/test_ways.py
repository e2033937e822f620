"""Messages of the outbox on the real ways to people: what one address does stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from flask import Flask

from tests.alerts.world import Alerting
from tests.support.receiver import Plain, Receiver, raw
from webhookproxy.alerts.channels import Channels
from webhookproxy.alerts.telling.outbox import Outbox
from webhookproxy.config.mail import MailServer
from webhookproxy.models import AlertAddress
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client

REFUSING: Plain = (403, {}, b'{"ok":false,"description":"canary: bot was blocked"}')


class Ways:
    """A person whose mail server refuses everything, and whose chats answer as a test says."""

    def __init__(self, app: Flask, stack: ExitStack) -> None:
        self.world = Alerting(app)
        self.mail = stack.enter_context(Receiver(greeting=raw(b"554 canary\r\n")))
        self.chat = stack.enter_context(Receiver(REFUSING))
        self.own = stack.enter_context(Receiver())
        settings = {
            "SMTP_URL": MailServer("127.0.0.1", self.mail.port, has_tls=False),
            "SMTP_FROM": "avisos@relay.example",
            "TELEGRAM_URL": self.chat.url(""),
        }
        http = Client(Policy(allow_private=True), Resolver())
        stack.callback(http.close)
        self.outbox = Outbox(
            self.world.store,
            self.world.reading,
            Channels(settings, http),
            "https://relay.example",
            self.world.clock,
        )
        self.company = self.world.company("Padaria")
        self.user = self.world.user("ana@exemplo.com.br", self.company)

    def address(self, kind: str, target: str, position: int) -> None:
        """Give the person another confirmed address."""
        now = self.world.now
        row = AlertAddress(
            user_id=self.user,
            kind=kind,
            target=target,
            secret="a secret of the person",
            label=kind,
            position=position,
            created_at=now,
            confirmed_at=now,
        )
        self.world.store.session(lambda session: session.add(row))

    def let_token_be_refused(self) -> None:
        """Have the company's token be refused until a message about it is due."""
        self.world.connection(self.company, "token_refused", "refused")
        for _ in range(4):
            self.world.now += timedelta(minutes=1)
            self.world.watcher.step()

    def send(self) -> None:
        """Send what is due now, to one address after the other."""
        while self.outbox.step():
            assert self.outbox.join(20)


@pytest.fixture
def ways(app: Flask) -> Iterator[Ways]:
    with ExitStack() as stack:
        yield Ways(app, stack)


def test_a_message_goes_on_to_the_first_address_that_takes_it(ways: Ways) -> None:
    ways.address("telegram", "123456789:a-token-of-a-bot-000000 42", 2)
    ways.address("webhook", ways.own.url("/first"), 3)
    ways.address("webhook", ways.own.url("/second"), 4)
    ways.let_token_be_refused()
    ways.send()
    assert (ways.mail.connections, len(ways.chat.requests)) == (1, 1)
    (got,) = ways.own.requests
    told = json.loads(got.body)
    assert (got.path, told["type"]) == ("/first", "alert.opened")
    assert told["data"]["subject"] == "Token recusado: Padaria"
    assert told["data"]["link"] == "https://relay.example/empresas/company_1"
    assert told["data"]["alerts"][0]["condition"] == "token_refused"
    stored = ways.world.stored("SELECT last_error FROM alert_addresses ORDER BY position")
    assert [each[0] for each in stored] == ["refused", "bot_blocked", None, None]
    assert "canary" not in f"{ways.world.stored('SELECT * FROM alert_messages')}"
    # Once, whatever time passes.
    ways.world.now += timedelta(hours=1)
    ways.send()
    assert len(ways.own.requests) == 1


def test_a_service_is_left_alone_for_as_long_as_it_asks(ways: Ways) -> None:
    ways.address("telegram", "123456789:a-token-of-a-bot-000000 42", 0)
    ways.chat.answer = (429, {}, b'{"ok":false,"parameters":{"retry_after":300}}')
    ways.let_token_be_refused()
    ways.send()
    ways.world.now += timedelta(seconds=299)
    ways.send()
    assert (len(ways.chat.requests), ways.mail.connections) == (1, 0)
    ways.chat.answer = (200, {}, b'{"ok":true}')
    ways.world.now += timedelta(seconds=2)
    ways.send()
    first, second = ways.chat.requests
    assert first.body[:40] == second.body[:40]
    assert [each[0] for each in ways.world.stored("SELECT error FROM alert_messages")] == [None]
