"""Starting, stopping, and who may command."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from tests.simulator.client import SECONDS, connected
from tests.support.simulator_process import SimulatorProcess, run_simulator
from webhookproxy.simulator.control import Control
from webhookproxy.simulator.endpoint import Endpoint
from webhookproxy.simulator.rest import Rest
from webhookproxy.simulator.server import Settings, Simulator


def test_a_taken_port_is_one_sentence_and_exit_2() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = run_simulator(f"--port={port}")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"Port {port} is taken; choose another with --port, or --port 0 for a free one.\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_beside_a_client_with_exit_0_and_printed_no_token(number: int) -> None:
    command = [sys.executable, "-m", "webhookproxy.simulator", "--port=0", "--rate=50"]
    process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    with process.stdout as stdout:
        line = stdout.readline()
        assert line.startswith("simulator listening on http://127.0.0.1:")
        simulator = SimulatorProcess()
        simulator.url = line.split()[-1]
        with connected(simulator, "secret-token-1234") as client:
            client.event()
            simulator.control("silence", pings=False)
            assert simulator.state()["tokens"][0]["token"] == "secr…1234"
            process.send_signal(number)
            assert process.wait(SECONDS) == 0
        assert stdout.read() == ""


def test_commands_from_another_machine_are_refused() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        sent.append(message)

    simulator = Simulator(Settings())
    endpoint = Endpoint(Control(simulator), Rest(simulator))
    scope = {"type": "http", "method": "POST", "path": "/control/drop", "query_string": b""}
    # Driven by hand: nothing in it waits, and this process may have no asyncio loop.
    with pytest.raises(StopIteration):
        endpoint({**scope, "client": ("192.0.2.1", 4321)}, receive, send).send(None)
    assert sent[0]["status"] == 403
