"""Against Socket.IO's own server, from npm: what it sends again, and what it does not."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from tests.listener.listening import Listening, listening
from tests.listener.sessions.test_sessions import payloads, recovered
from tests.support.application import wait_until
from tests.support.simulator_process import SimulatorProcess

SOURCE = Path(__file__).parent
# The only one that the server accepts.
TOKEN = "canary-token-of-the-reference"
NPM_SECONDS = 60

pytestmark = pytest.mark.slow


class Reference:
    """A running server; its commands answer with its sockets and how many were recovered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def command(self, name: str, **body: int) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", f"/{name}", json.dumps(body))
            answer: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the server and its packages, installed once."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm: the reference server cannot be installed")
    folder = tmp_path_factory.mktemp("reference")
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(SOURCE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    # Where there is no network it says so at once.
    command += ["--fetch-retries=0", "--fetch-timeout=10000"]
    try:
        made = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install the reference server within {NPM_SECONDS} s")
    if made.returncode:
        pytest.skip(f"npm cannot install the reference server: {made.stderr.strip()[-300:]}")
    return folder


@contextmanager
def reference(folder: Path, seconds: int) -> Iterator[Reference]:
    """Yield a running server that keeps sessions for these seconds; 0: it keeps none."""
    command = ["node", "server.mjs", str(seconds)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Reference(int(process.stdout.readline().split()[-1]))
        finally:
            process.kill()


def emit(server: Reference, first: int, count: int) -> None:
    server.command("emit", first=first, count=count)


def lose(half: Listening, server: Reference, company: int, how: str, first: int) -> None:
    """End the company's socket and emit ten events that it misses; return when another is open."""
    before = len(recovered(half, company))
    half.registry.handshakes.allow(False)
    server.command(how)
    wait_until(lambda: server.command("state")["sockets"] == 0, 60, "the server sees the end")
    emit(server, first, 10)
    half.registry.handshakes.allow(True)
    wait_until(lambda: len(recovered(half, company)) > before, 60, "the gap is over")


def test_the_reference_server_sends_again_what_was_missed(
    app: Flask, simulator: SimulatorProcess, installed: Path
) -> None:
    with reference(installed, 120) as server:
        with listening(app, simulator) as half:
            company = half.connected(TOKEN, socket_url=server.url)
            emit(server, 0, 10)
            half.wait_for_events(10)
            # A server that sends a socket away keeps nothing of it: as without recovery.
            lose(half, server, company, "kick", 1_000)
            emit(server, 10, 10)
            half.wait_for_events(20)
            lose(half, server, company, "drop", 20)
            half.wait_for_events(30)
            # With no other event in between.
            lose(half, server, company, "close", 30)
            half.wait_for_events(40)
            assert recovered(half, company) == [False, True, True]
        emit(server, 40, 10)
        with listening(app, simulator) as another:
            another.wait_for_events(50)
            assert [event.payload for event in another.events()] == list(payloads(50))
            assert server.command("state")["recovered"] == 3


def test_a_reference_server_without_recovery_is_served_as_always(
    app: Flask, simulator: SimulatorProcess, installed: Path
) -> None:
    with reference(installed, 0) as server, listening(app, simulator) as half:
        company = half.connected(TOKEN, socket_url=server.url)
        emit(server, 0, 10)
        half.wait_for_events(10)
        lose(half, server, company, "drop", 1_000)
        emit(server, 10, 10)
        half.wait_for_events(20)
        assert [event.payload for event in half.events()] == list(payloads(20))
        assert recovered(half, company) == [False]
        assert half.connection(company).session is None
