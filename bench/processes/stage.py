"""The processes of a measurement: simulator, receiver and relays."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from sqlalchemy.orm import Session

from webhookproxy import create_app
from webhookproxy.demo.programs import ROOT, DemoError, Program, flask, free_port, post_json
from webhookproxy.models.companies import create_company, wish_connection
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.network.guard import Policy
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

START_SECONDS = 60.0
# CPU seconds per half second. A process below this counts as finished with its work.
_QUIET = 0.03


class Relay(Program):
    """A program that is measured with its child processes; `url` is its address."""

    url = ""

    def processes(self) -> list[psutil.Process]:
        """Return the program's process and its children."""
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """Return the user and system time of all its processes so far."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(each.user + each.system for each in times)

    def rss_mb(self) -> float:
        """Return the resident memory of all its processes, in MB; shared memory counts for each."""
        return sum(process.memory_info().rss for process in self.processes()) / 1e6

    def wait_until_quiet(self) -> None:
        """Return when it is idle; raise DemoError after START_SECONDS."""
        until = time.monotonic() + START_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < until:
            time.sleep(0.5)
            now = self.cpu_seconds()
            if now - before < _QUIET:
                return
            before = now
        raise DemoError("a relay went on working after everything had arrived")


class Simulator:
    """The simulator; it emits only what it is told to."""

    def __init__(self, stack: ExitStack) -> None:
        command = (sys.executable, "-m", "webhookproxy.simulator", "--port=0", "--rate=0")
        program = Program(*command, environment={})
        stack.callback(program.stop)
        self.url = program.wait_for_line("simulator listening on ")

    def behind_tls(self, stack: ExitStack) -> tuple[str, Path]:
        """Return a URL that reaches it over TLS, and the file of the authority to trust."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-tls-")))
        port = self.url.rpartition(":")[2]
        program = Program(
            sys.executable, "-m", "bench.processes.tls_front", port, str(folder), environment={}
        )
        stack.callback(program.stop)
        return program.wait_for_line("tls listening on "), folder / "roots.pem"

    def command(self, name: str, **body: Any) -> dict[str, Any]:
        """Send it a command; return the answer."""
        return post_json(f"{self.url}/control/{name}", body)

    def sockets(self, token: str | None = None) -> int:
        """Return how many sockets are open, of one token or of all."""
        with urlopen(f"{self.url}/control/state", timeout=10) as answer:  # noqa: S310 - loopback
            states = json.load(answer)["tokens"]
        mask = None if token is None else f"{token[:4]}…{token[-4:]}"
        return sum(each["sockets"] for each in states if mask in (None, each["token"]))


class Receiver:
    """The receiver's process."""

    def __init__(self, stack: ExitStack, secret: str) -> None:
        program = Program(sys.executable, "-m", "bench.processes.receiver", secret, environment={})
        stack.callback(program.stop)
        self.url = program.wait_for_line("receiver listening on ")

    def count(self) -> int:
        """Return how many different events have come."""
        return int(self._ask("GET", "/count"))

    def arrivals(self) -> dict[str, Any]:
        """Return `total`, `doubled`, `unsigned`, and `first`: path to number to monotonic time."""
        found: dict[str, Any] = json.loads(self._ask("GET", "/arrivals"))
        return found

    def forget(self) -> None:
        """Make it forget all arrivals."""
        self._ask("DELETE", "/arrivals")

    def switch(self, *, down: bool) -> None:
        """Make it refuse everything with 503, or accept again."""
        self._ask("PUT", "/down" if down else "/up")

    def _ask(self, method: str, path: str) -> bytes:
        request = Request(self.url + path, method=method)  # noqa: S310 - loopback
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            text: bytes = answer.read()
        return text


def two_cores(parser: ArgumentParser) -> tuple[int, int]:
    """Keep this process on a core of its own. Return it, and another one for the relays."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        parser.error("this needs two cores: one for the relay, one for what it talks to")
    os.sched_setaffinity(0, {cores[0]})
    return cores[0], cores[1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run the processes started inside on one core: they inherit this thread's affinity."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wait_for(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Return when `ready`; raise DemoError naming `what` after `seconds`."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise DemoError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.02)


def own_folder(stack: ExitStack) -> Path:
    """Return a new folder in instance/, on the disk of the product's own database."""
    instance = ROOT / "instance"
    instance.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=instance))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def settings(stack: ExitStack) -> dict[str, str]:
    """Return the shipped settings, with new keys, a new database, and loopback allowed."""
    clean = dict.fromkeys(("DYNO", "LOG_LEVEL", "LOG_LINES_PER_SECOND", "PUBLIC_URL"), "")
    return {
        **clean,
        "DATABASE_URL": f"sqlite:///{own_folder(stack) / 'bench.sqlite'}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATA_KEYS": secrets.token_urlsafe(48),
        "ALLOW_PRIVATE_TARGETS": "1",
    }


def register(
    environment: dict[str, str],
    tokens: Sequence[str],
    simulator: Simulator,
    receiver: Receiver,
    secret: str,
) -> None:
    """Create one connected company per token, with one signed webhook at /1, /2 ..."""
    flask(environment, "db", "upgrade")
    app = create_app(environment)
    policy: Policy = app.extensions["policy"]

    def job(session: Session) -> None:
        for number, token in enumerate(tokens, start=1):
            given = CompanyInput(f"Empresa {number}", token, simulator.url)
            company = create_company(session, given, policy)
            target = WebhookInput("bench", f"{receiver.url}/{number}", secret=secret)
            create_webhook(session, company.id, target, policy)
            wish_connection(session, company, connected=True)

    with app.app_context():
        app.extensions["store"].session(job)
    app.extensions["store"].close()


def start_server(
    environment: dict[str, str], stack: ExitStack, application: str = "wsgi:app"
) -> Relay:
    """Start the server as bin/serve does."""
    command = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", application)
    port = free_port()
    server = Relay(*command, environment={**environment, "PORT": str(port)})
    server.url = f"http://127.0.0.1:{port}"
    stack.callback(server.stop)
    return server
