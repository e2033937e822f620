"""Run the server beside a test, as it runs in service: gunicorn with one gevent worker."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.support.application import KEYS, wait_until

START_SECONDS = 30.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[2]
# The settings of the developer's shell must not reach the server.
_FOREIGN = (
    "TAKE_OVER",
    "DYNO",
    "PUBLIC_URL",
    "TRUSTED_HOSTS",
    "PROXY_HOPS",
    "LOG_LEVEL",
    "ALLOW_HTTP",
    "SMTP_URL",
)
_numbers = count(1)


class ServerProcess:
    """A context manager: a server on a free port that answers; killed at the end if still there.

    `folder` takes a file with what it prints; `environment` are settings by name.
    """

    def __init__(
        self, database_url: str, folder: Path, app: str = "wsgi:app", **environment: str
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        given = {"DATABASE_URL": database_url, "ALLOW_PRIVATE_TARGETS": "1", **KEYS, **environment}
        self.port = free_port()
        # Links in messages have it.
        self._environment = {**inherited, "PORT": str(self.port), **given}
        self._app = app
        self._printed = folder / f"server-{next(_numbers)}.txt"
        # The folder of the version that runs.
        self.program = _ROOT
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ("-m", "gunicorn", "-c", "gunicorn.conf.py", f"--bind=127.0.0.1:{self.port}")
        with self._printed.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command, self._app],
                cwd=self.program,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, START_SECONDS, "the server answers /saude")
        except BaseException:
            self.kill()
            print(f"the server's output:\n{self.output}")  # noqa: T201
            raise
        return self

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        self.kill()
        if error is not None:
            print(f"the output of the server on port {self.port}:\n{self.output}")  # noqa: T201

    @property
    def pid(self) -> int:
        """The process id of gunicorn's master; the worker is its only child."""
        return self._running().pid

    @property
    def output(self) -> str:
        """Return all that it printed so far."""
        return self._printed.read_text(encoding="utf-8", errors="replace")

    def health(self) -> dict[str, Any]:
        """Return the facts of /saude, with its `status`; raise OSError without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", "/saude")
            answer = connection.getresponse()
            facts: dict[str, Any] = json.loads(answer.read())
        finally:
            connection.close()
        return {**facts, "status": answer.status}

    def wait_for_sockets(self, connected: int, seconds: float = 20.0) -> None:
        """Wait until this number of sockets is connected; raise AssertionError after the time."""
        wait_until(
            lambda: self.health()["sockets"]["connected"] == connected,
            seconds,
            f"{connected} connected sockets",
        )

    def wait_until_settled(self, seconds: float = 20.0) -> None:
        """Return when no delivery waits; raise AssertionError if some still do after `seconds`."""
        wait_until(lambda: self.health()["waiting_deliveries"] == 0, seconds, "no delivery waits")

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to master and worker."""
        os.killpg(self._running().pid, number)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to gunicorn's master."""
        self._running().send_signal(number)

    def terminate(self) -> int:
        """Stop it with SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Return the exit code of a server that was asked to stop."""
        return int(self._running().wait(STOP_SECONDS))

    def kill(self) -> None:
        """Kill master and worker at once with SIGKILL; does nothing if they ended."""
        process = self._running()
        # It has a session of its own, so its number is that of its whole group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def freeze(self) -> None:
        """Stop master and worker where they are (SIGSTOP), until thaw()."""
        os.killpg(self._running().pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue them (SIGCONT)."""
        os.killpg(self._running().pid, signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _answers(self) -> bool:
        if self._running().poll() is not None:
            raise AssertionError(f"the server ended with {self._running().returncode}")
        try:
            self.health()
        except (OSError, http.client.HTTPException):
            # Every attempt is a connection, so pause between two.
            time.sleep(0.05)
            return False
        return True


def free_port() -> int:
    """Return a port that no one listens on.

    It is below those that the kernel gives to connections and to listeners that ask for any, so
    that it is still free when the server binds it, also beside another process of tests.
    """
    while True:
        port = secrets.choice(range(10_000, 32_000))
        with suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port
