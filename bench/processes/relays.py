"""The relays that are compared, each started on the relays' core."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes.stage import (
    Receiver,
    Relay,
    Simulator,
    on_core,
    settings,
    start_server,
    wait_for,
)
from webhookproxy import create_app
from webhookproxy.demo.programs import flask
from webhookproxy.models.companies import create_company, wish_connection
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

_NODE_RELAY = Path(__file__).parent / "node_relay"
# Enough for a thousand companies to connect.
CONNECT_SECONDS = 120.0
# Jobs of BullMQ at a time.
DURABLE_PARALLEL = 64


@dataclass(slots=True)
class Stage:
    """The processes that every relay talks to, and the core on which it runs."""

    stack: ExitStack
    core: int
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    simulator: Simulator = field(init=False)
    receiver: Receiver = field(init=False)

    def __post_init__(self) -> None:
        self.simulator = Simulator(self.stack)
        self.receiver = Receiver(self.stack, self.secret)


def new_token() -> str:
    """Return a token that no relay had before, so its counts begin at zero."""
    return f"bench-{secrets.token_urlsafe(24)}"


def has_node() -> bool:
    """Return whether the Node relays can run; install their packages if npm is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    # It fails if a package is missing or has another version than the lock file.
    if _npm("ls"):
        return True
    # Where there is no network it fails at once.
    return _npm("ci", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0")


def _npm(*arguments: str) -> bool:
    command = ("npm", *arguments, "--silent")
    done = subprocess.run(command, cwd=_NODE_RELAY, stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def why_not_durable() -> str:
    """Return why the durable relay cannot run here, or "" if it can."""
    if shutil.which("redis-server") is None:
        return "there is no redis-server here"
    return "" if has_node() else "Node, npm or the packages of the Node relays are missing"


def start_node(stage: Stage, token: str, parallel: int, started: ExitStack) -> Relay:
    """Start the Node relay, which sends `parallel` events at a time."""
    command = ("node", str(_NODE_RELAY / "relay.mjs"), stage.simulator.url, token)
    return _start(stage, started, token, *command, _target(stage), stage.secret, str(parallel))


def start_durable(stage: Stage, token: str, fsync: str, folder: Path, started: ExitStack) -> Relay:
    """Start the relay of BullMQ, and its Redis on this folder with this `appendfsync`."""
    command = ("node", str(_NODE_RELAY / "durable_relay.mjs"), stage.simulator.url, token)
    more = (str(DURABLE_PARALLEL), fsync, str(folder))
    return _start(stage, started, token, *command, _target(stage), stage.secret, *more)


def start_plain(stage: Stage, token: str, started: ExitStack) -> Relay:
    """Start the plain relay in Python."""
    command = (sys.executable, "-m", "bench.processes.plain_relay", stage.simulator.url, token)
    return _start(stage, started, token, *command, _target(stage), stage.secret)


def _target(stage: Stage) -> str:
    return f"{stage.receiver.url}/relay"


def _start(stage: Stage, started: ExitStack, token: str, *command: str) -> Relay:
    with on_core(stage.core):
        relay = Relay(*command, environment={})
    started.callback(relay.stop)

    def connected() -> bool:
        relay.check_alive()
        return stage.simulator.sockets(token) == 1

    wait_for(connected, "the relay's connection")
    return relay


@dataclass(frozen=True, slots=True)
class Product:
    """The product on its own database, with companies whose connection is switched on."""

    environment: dict[str, str]
    tokens: tuple[str, ...]

    def start(self, stage: Stage, started: ExitStack, application: str = "wsgi:app") -> Relay:
        """Start the server, as shipped, and wait until every company is connected."""
        with on_core(stage.core):
            server = start_server(self.environment, started, application)

        def connected() -> bool:
            server.check_alive()
            return sum(map(stage.simulator.sockets, self.tokens[:1])) == 1 and (
                len(self.tokens) == 1 or stage.simulator.sockets() >= len(self.tokens)
            )

        wait_for(connected, f"the connection of {len(self.tokens)} companies", CONNECT_SECONDS)
        return server


def install(
    stage: Stage,
    *,
    companies: int = 1,
    webhooks: int = 1,
    path: str = "",
    database_url: str = "",
    tls: bool = False,
    **fields: Any,
) -> Product:
    """Return a product with connected companies, each with signed webhooks.

    `fields` are those of the webhooks. Without `database_url` the product gets its own SQLite
    file. With `tls` the companies connect over wss.
    """
    environment = settings(stage.stack)
    if database_url:
        environment["DATABASE_URL"] = database_url
    socket_url = stage.simulator.url
    if tls:
        socket_url, roots = stage.simulator.behind_tls(stage.stack)
        environment["SSL_CERT_FILE"] = str(roots)
    flask(environment, "db", "upgrade")
    tokens = tuple(new_token() for _ in range(companies))
    app = create_app(environment)
    policy, store = app.extensions["policy"], app.extensions["store"]

    def job(session: Any) -> None:
        for number, token in enumerate(tokens, start=1):
            given = CompanyInput(f"Empresa {number}", token, socket_url)
            company = create_company(session, given, policy)
            for each in range(webhooks):
                url = f"{stage.receiver.url}{path}/{number}-{each}"
                target = WebhookInput("bench", url, secret=stage.secret, **fields)
                create_webhook(session, company.id, target, policy)
            wish_connection(session, company, connected=True)

    store.session(job)
    store.close()
    return Product(environment, tokens)
