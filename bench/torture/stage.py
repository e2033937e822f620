"""The processes of a torture: a database, the simulator, receivers with a log, and servers."""

from __future__ import annotations

import http.client
import random
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import gevent
from flask import Flask
from sqlalchemy.orm import Session

from bench.torture.alerts import SECRET, TOKEN, USERS, Told, add_users
from tests.support import application as world
from tests.support import postgresql
from tests.support.application import application, make_company, make_webhook, rows, store_of
from tests.support.receiver import OK, Behaviour, Plain, Received, Receiver, hang
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.webhooks import edit_webhook, find_webhook

COMPANIES = 3
# Seconds between pings, and for the answer to one: a dead server is noticed after both.
PINGS = {"interval": 2, "timeout": 3}
# Of each company's webhooks, one sends in parallel, and one in strict order.
PARALLELISM = (8, 1)
TIMEOUT = 5.0

_numbers = count()

Fault = Callable[[Received], Plain | Behaviour]


@dataclass
class Log:
    """The log of one webhook's receiver: every request, and which ones it accepted."""

    receiver: Receiver = field(default_factory=Receiver)
    webhook_id: int = 0
    company_id: int = 0
    fault: Fault | None = None
    latency: random.Random = field(default_factory=lambda: random.Random(0))
    # Event ids in the order of their first receipt, and when each was accepted (monotonic).
    first: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, list[float]] = field(default_factory=dict)

    def answer(self, request: Received) -> Plain | Behaviour:
        """Note the request; accept it unless a fault is on."""
        identity = request.headers["webhook-id"]
        self.first.setdefault(identity, time.time())
        self.receiver.requests.clear()
        if self.fault is not None and (answer := self.fault(request)) is not OK:
            return answer
        self.accepted.setdefault(identity, []).append(time.monotonic())
        # Accepted and not answered: a kill in this moment repeats the event.
        gevent.sleep(self.latency.uniform(0.0, 0.1))
        return OK


@dataclass
class Stage:
    """The running processes that a torture needs."""

    app: Flask
    url: str
    folder: Path
    simulator: SimulatorProcess
    postgresql: postgresql.Server | None
    stack: ExitStack
    tokens: dict[int, str] = field(default_factory=dict)
    logs: list[Log] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    servers: list[ServerProcess] = field(default_factory=list)
    # While it is set, all events have one key and come ten times as often.
    one_key: bool = False

    def start_server(self, **settings: str) -> ServerProcess:
        """Start one more server, and wait until it answers."""
        server = self.stack.enter_context(ServerProcess(self.url, self.folder, **settings))
        self.servers.append(server)
        return server

    def owners(self) -> list[ServerProcess]:
        """Return the servers that say they own the sockets."""
        return [server for server in self.servers if self._health(server).get("owner")]

    def in_flight(self) -> set[tuple[int, str]]:
        """Return what receivers accepted and the database does not have as delivered."""
        query = (
            "SELECT d.webhook_id, e.public_id FROM deliveries d JOIN events e ON e.id = d.event_id"
            " WHERE d.state <> 'delivered'"
        )
        open_ones = {(row[0], row[1]) for row in rows(self.app, query)}
        return {each for each in open_ones if each[1] in self._log(each[0]).accepted}

    def accepted_since(
        self, began: float, companies: Container[int] | None = None
    ) -> set[tuple[int, str]]:
        """Return what receivers (of these companies) accepted since a monotonic moment."""
        return {
            (log.webhook_id, identity)
            for log in self.logs
            if companies is None or log.company_id in companies
            for identity, times in log.accepted.items()
            if times[-1] >= began
        }

    def connect_to_silence(self, number: int) -> list[int]:
        """Connect this many new companies to a server that accepts and says nothing."""
        silent = self.stack.enter_context(Receiver(greeting=hang()))
        url = silent.url("").rstrip("/")
        tokens = (f"torture-silent-{next(_numbers):06}" for _ in range(number))
        return [make_company(self.app, url, token, connected=True) for token in tokens]

    def disconnect(self, companies: list[int]) -> None:
        """Delete companies all at once."""

        def job(session: Session) -> None:
            for number in companies:
                delete_company(session, find_company(session, number))

        store_of(self.app).session(job)

    def save(self, webhook_id: int) -> None:
        """Save a webhook unchanged: this closes its circuit and tries at once what waits."""

        def job(session: Session) -> None:
            webhook = find_webhook(session, webhook_id)
            edit_webhook(session, webhook, webhook.input(), self.app.extensions["policy"])

        store_of(self.app).session(job)

    def settle(self, seconds: float) -> bool:
        """Try everything now, and wait until nothing waits. Return whether that happened."""
        for log in self.logs:
            log.fault = None
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for log in self.logs:
                self.save(log.webhook_id)
            for _ in range(50):
                query = "SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NULL"
                if rows(self.app, query)[0][0] == 0:
                    return True
                gevent.sleep(0.2)
        return False

    def _log(self, webhook_id: int) -> Log:
        return next(log for log in self.logs if log.webhook_id == webhook_id)

    def _health(self, server: ServerProcess) -> dict[str, Any]:
        try:
            return server.health()
        except (OSError, ValueError, http.client.HTTPException):
            return {}


@contextmanager
def stage(
    database: str, companies: int = COMPANIES, users: int = USERS, pings: dict[str, int] = PINGS
) -> Iterator[Stage]:
    """Yield the stage on an empty database of this kind; `users` are those of each company."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        server = None
        url = f"sqlite:///{folder / 'torture.sqlite'}"
        if database == "postgresql":
            server = stack.enter_context(postgresql.running())
            url = stack.enter_context(server.database())
        else:
            world.migrate(url)
        app = stack.enter_context(application(url, folder))
        simulator = stack.enter_context(SimulatorProcess())
        simulator.control("pings", **pings)
        made = Stage(app, url, folder, simulator, server, stack)
        for number in range(1, companies + 1):
            _add_company(made, stack, f"{TOKEN}-{number:04}")
        stack.enter_context(made.told.receiver)
        made.told.receiver.answer = made.told.answer
        url = made.told.receiver.url()
        store_of(app).session(lambda session: add_users(session, made.tokens, url, users))
        yield made


def _add_company(made: Stage, stack: ExitStack, token: str) -> None:
    # Messages may have the name.
    name = f"Company {len(made.tokens) + 1}"
    company = make_company(made.app, made.simulator.url, token, name=name, connected=True)
    made.tokens[company] = token
    for parallelism in PARALLELISM:
        log = Log(company_id=company)
        stack.enter_context(log.receiver)
        log.receiver.answer = log.answer
        log.webhook_id = make_webhook(
            made.app,
            company,
            log.receiver.url(),
            secret=SECRET,
            parallelism=parallelism,
            timeout=TIMEOUT,
        )
        made.logs.append(log)
