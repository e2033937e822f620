"""A server whose every secret is marked, the users of its pages, and all their answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.canaries.marks import (
    AUTH,
    MAIL_PASSWORD,
    MARK,
    NEXT_TOKEN,
    OLD_SECRET,
    OWN_HEADER,
    PHONE_SHOWN,
    REST_TOKEN,
    SECRET,
    TOKEN,
    URL_KEY,
    echo,
)
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Plain, Received, Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.served import Heard, Served
from webhookproxy.events.contract import whsec
from webhookproxy.events.recovery.histories import HISTORY
from webhookproxy.models import BulkResend
from webhookproxy.models.accounts.next_tokens import lay_ready
from webhookproxy.models.accounts.one_time_codes import first_code
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.models.signing_secrets import rotate_secret
from webhookproxy.models.webhooks import find_webhook

PASSWORD, WRONG = f"{MARK}-password-of-ana", f"{MARK}-wrong-password"
NEW_PASSWORD = f"{MARK}-password-that-is-new"
# A secret typed into a visible field by mistake.
MISTAKEN = f"{MARK}-typed-where-it-does-not-belong"
ANA, BETO, LENA = "ana@exemplo.com.br", "beto@exemplo.com.br", "lena@exemplo.com.br"
METRICS_TOKEN, MONITOR = f"{MARK}-token-of-prometheus", f"{MARK}-path-of-the-monitor"
SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "PUBLIC_URL": "http://localhost",
    "PROXY_HOPS": "1",
    "TRUSTED_HOSTS": "localhost,127.0.0.1",
    "METRICS_TOKEN": METRICS_TOKEN,
    # No one listens there.
    "HEARTBEAT_URL": f"http://127.0.0.1:4008/{MONITOR}?key={MONITOR}",
    "SMTP_URL": f"smtp://avisos:{MAIL_PASSWORD}@127.0.0.1:4008",
    "SMTP_FROM": "avisos@exemplo.com.br",
}
# The values of every secret field, by its name.
TYPED: Mapping[str, str] = {
    "token": TOKEN,
    "rest_token": REST_TOKEN,
    "authorization": AUTH,
    "header_value-0": OWN_HEADER,
    "secret": SECRET,
    "password": NEW_PASSWORD,
    "current": PASSWORD,
    "repeated": NEW_PASSWORD,
    # The code of the first access is visible while it is typed: the user copies it from a console.
    "code": MISTAKEN,
}
SECRETS = (
    *(
        TOKEN,
        REST_TOKEN,
        NEXT_TOKEN,
        AUTH.split()[-1],
        OWN_HEADER.split()[-1],
        SECRET,
        OLD_SECRET,
        PASSWORD,
        WRONG,
        NEW_PASSWORD,
    ),
    *(METRICS_TOKEN, MONITOR, MAIL_PASSWORD),
)
# The answers that contain a mark, and why. No other answer may, except with a text that is no
# secret and was in the same request: a visible field shows the typed text again.
ALLOWED: Mapping[str, Mapping[str, str]] = {
    URL_KEY: {
        "webhook_editing.edit": "the form of the URL shows the URL",
        "deliveries.show": "the command to copy sends to the URL",
    },
    PHONE_SHOWN: {
        "deliveries.show": "the page of a payload",
        "deliveries.body": "the payload as a file",
        "events.show": "the page of a payload",
        "events.payload": "the payload as a file",
        "filters.edit": "the payload whose values are clicked to make a condition",
        "formats.edit": "the payload whose values are clicked, and the bodies made of them",
        "events.watch": "what the receiver answered: some show what they were sent",
        "deliveries.watch": "what the receiver answered: some show what they were sent",
    },
}


@dataclass(slots=True)
class Stage:
    """The rows by number: companies 1 and 2, webhooks 1 (company 1) and 2."""

    app: Flask
    server: ServerProcess
    heard: list[Heard] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    # The token of a link to a recording, which only the receivers got.
    recording: str = ""

    def browser(self) -> Served:
        """Return a visitor who has not logged in."""
        return Served(self.app, self.server.port, self.heard)

    def logged_in(self, email: str, password: str = PASSWORD) -> Served:
        """Return a user who has logged in through the form, and need not change the password."""
        forget = text("UPDATE users SET must_change_password = FALSE")
        store_of(self.app).run(lambda connection: connection.execute(forget) and None)
        browser = self.browser()
        browser.post("/entrar", 303, email=email, password=password)
        return browser

    def found(self, mark: str) -> list[Heard]:
        """Return the answers that have a mark and may not."""
        allowed = ALLOWED.get(mark, {})
        seen = mark not in SECRETS
        return [
            each
            for each in self.heard
            if mark in each.text
            and each.endpoint not in allowed
            and not (seen and mark in each.asked)
        ]

    def secret_from(self, page: str) -> str:
        """Return a made secret from the only page that shows it."""
        shown = re.search(r'<pre class="code" id="[^"]*"[^>]*>([^<]+)</pre>', page)
        assert shown, page
        self.made += [shown[1], whsec(shown[1]).removeprefix("whsec_")]
        return shown[1]


def _shows_everything(got: Received) -> Plain:
    """Answer like a receiver in debug mode that shows the body too."""
    status, headers, shown = echo(got)
    return status, headers, shown + got.body


def _webhooks(app: Flask, urls: list[str]) -> None:
    for number, url in enumerate(urls, 1):
        fields = {"authorization": AUTH, "secret": OLD_SECRET, "timeout": 2.0}
        fields["headers"] = (("X-Api-Key", OWN_HEADER),)
        make_webhook(app, 1, f"{url}hook/{URL_KEY}?key={URL_KEY}", **fields)
        store_of(app).session(
            lambda session, number=number: rotate_secret(  # type: ignore[misc]
                session, find_webhook(session, number), f"{SECRET}-{number}"
            )
        )


def _bulk_resend(app: Flask) -> None:
    """Return a cancelled delivery of webhook 2, whose page exists."""
    numbers = {"begins": 0, "upto": 0, "cursor": 0, "total": 0, "total_is_cut": False}
    about = {"company_id": 1, "webhook_id": 2, "asked_by": "cli", "asked_ms": 1, "event": ""}
    bulk = BulkResend(**about, **numbers, states=["refused"], state="cancelled")
    bulk.ended_ms = round(time.time() * 1000)
    store_of(app).session(lambda session: session.add(bulk))


def lay_next_token(app: Flask, company_id: int) -> None:
    """Lay a marked token ready for a company."""

    def job(session: Session) -> None:
        policy = app.extensions["policy"]
        lay_ready(session, find_company(session, company_id), NEXT_TOKEN, None, policy, CLI)

    store_of(app).session(job)


def _recording(simulator: SimulatorProcess, receivers: list[Receiver]) -> str:
    """Have a call's history sent, also to a receiver that shows it; return its link's token."""
    history = {"callHistory": {"_id": "65f0a1", "recorded": True}}
    simulator.control("emit", token=TOKEN, event=HISTORY, args=[history])
    wait_until(lambda: all("/gravacao/" in _sent(each) for each in receivers), 20, "it was sent")
    found = re.search(r"/gravacao/([\w-]{22})\"", _sent(receivers[0]))
    assert found
    return found[1]


def _sent(receiver: Receiver) -> str:
    return "".join(each.body.decode() for each in receiver.requests)


@contextmanager
def stage(app: Flask, url: str, folder: Path) -> Iterator[Stage]:
    """The server in its own process, with one event that was accepted once and refused once."""
    with ExitStack() as stack:
        simulator = stack.enter_context(SimulatorProcess())
        receivers = [
            stack.enter_context(Receiver()),
            stack.enter_context(Receiver(_shows_everything)),
        ]
        make_company(
            app, simulator.url, TOKEN, connected=True, rest_token=REST_TOKEN, recording_links=True
        )
        make_company(app, "http://127.0.0.1:4009", f"{TOKEN}-2", name="Outra")
        lay_next_token(app, 1)
        lay_next_token(app, 2)
        _webhooks(app, [each.url() for each in receivers])
        server = stack.enter_context(ServerProcess(url, folder, **SETTINGS))
        simulator.wait_for_sockets(TOKEN)
        person = {"phone": PHONE_SHOWN, "agent": {"api_token": TOKEN}}
        simulator.control("emit", token=TOKEN, event="call-was-created", args=[person])
        tried = "SELECT 1 FROM attempts"
        wait_until(lambda: len(rows(app, tried)) > 1, 20, "both webhooks were tried")
        recording = _recording(simulator, receivers)
        wait_until(lambda: len(rows(app, tried)) > 3, 20, "both answers to the history are stored")
        _bulk_resend(app)
        yield Stage(app, server, recording=recording)


def code_of(app: Flask) -> str:
    """Return the first administrator's code from the server's console."""
    return first_code(app.config["SECRET_KEY"], datetime.now(UTC))


def filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form, with a marked secret in each secret field."""
    return {name: TYPED.get(name, value) for name, value in fields.items()}
