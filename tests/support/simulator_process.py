"""Runs the simulator beside a test, in its own process, and sends it commands."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

START_SECONDS = 60.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 120.0
_ROOT = Path(__file__).resolve().parents[2]
_LISTENING = "simulator listening on "


class SimulatorError(Exception):
    """The simulator did not start, or refused a command; the text says why."""


class SimulatorProcess:
    """A context manager: the simulator on a free port, silent (`--rate 0`) unless told otherwise.

    Works in a process patched by gevent: it uses only subprocess, threads and http.client.
    """

    def __init__(self, *arguments: str, rate: float = 0, agents: int = 10, seed: int = 1) -> None:
        self._arguments = [f"--rate={rate}", f"--agents={agents}", f"--seed={seed}", *arguments]
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._listening = threading.Event()
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "webhookproxy.simulator", "--port=0", *self._arguments]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._listening.wait(START_SECONDS) or not self.url:
            self.stop()
            raise SimulatorError(f"the simulator did not start:\n{self.output}")
        return self

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        self.stop()
        if error is not None:
            print(f"the simulator's output:\n{self.output}")  # noqa: T201

    @property
    def output(self) -> str:
        """Return all that it printed so far."""
        return "".join(self._lines)

    def control(self, path: str, **body: Any) -> dict[str, Any]:
        """Do `POST /control/<path>` and return the answer; SimulatorError when refused."""
        return self._request("POST", f"/control/{path}", json.dumps(body))

    def state(self, token: str | None = None) -> dict[str, Any]:
        """Return the counts of one token, or of all of them under `tokens`."""
        if token is None:
            return self._request("GET", "/control/state")
        found = self._request("GET", f"/control/state?token={quote(token, safe='')}")
        one: dict[str, Any] = found["tokens"][0]
        return one

    def emitted(self, token: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the frames emitted to `token` after number `since`, of the last 2,000."""
        path = f"/control/emitted?token={quote(token, safe='')}&since={since}"
        events: list[dict[str, Any]] = self._request("GET", path)["events"]
        return events

    def wait_for_sockets(self, token: str, count: int = 1, seconds: float = 60) -> None:
        """Wait until `token` has `count` sockets; raise SimulatorError after the time."""
        limit = time.monotonic() + seconds
        while self._sockets(token) != count:
            if time.monotonic() > limit:
                raise SimulatorError(f"the token has {self._sockets(token)} sockets, not {count}")
            time.sleep(0.01)

    def stop(self) -> int:
        """Stop it with SIGTERM and return its exit code; does nothing the second time."""
        process = self._process
        if process is None:
            return 0
        process.terminate()
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self._reader.join(STOP_SECONDS)
        self._process = None
        return code

    def _sockets(self, token: str) -> int:
        try:
            return int(self.state(token)["sockets"])
        except SimulatorError:
            return 0

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.append(line)
                if line.startswith(_LISTENING):
                    self.url = line.removeprefix(_LISTENING).strip()
                    self._listening.set()
        # It ended, so a test that waits for a line must not wait for the limit.
        self._listening.set()

    def _request(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        address = urlsplit(self.url)
        assert address.hostname is not None
        connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=ANSWER_SECONDS
        )
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise SimulatorError(f"{response.status} {answer['error']}")
        return answer


def run_simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulator to its end, with arguments that it refuses."""
    command: Sequence[str] = [sys.executable, "-m", "webhookproxy.simulator", *arguments]
    return subprocess.run(
        command, cwd=_ROOT, text=True, capture_output=True, timeout=START_SECONDS, check=False
    )
