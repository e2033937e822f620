"""What the tests of whole servers begin with: a database with one company, and who talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from tests.faults.server.streaming import Stream, streaming
from tests.support.application import make_company, make_webhook
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess


@dataclass(frozen=True)
class World:
    """A database, the simulator with a token of the test's own, and a receiver."""

    app: Flask
    url: str
    folder: Path
    simulator: SimulatorProcess
    receiver: Receiver
    token: str

    def begin(self, **webhook: Any) -> None:
        """Create the company, wished connected, and its webhook at the receiver."""
        company = make_company(self.app, self.simulator.url, self.token, connected=True)
        make_webhook(self.app, company, self.receiver.url(), **webhook)

    def server(self, **environment: str) -> ServerProcess:
        """Return a server on the database; it starts when it is entered."""
        return ServerProcess(self.url, self.folder, **environment)

    def streaming(self) -> AbstractContextManager[Stream]:
        """Return a stream of the company's events; it starts when it is entered."""
        return streaming(self.simulator, self.token)

    def control(self, command: str, **given: Any) -> dict[str, Any]:
        """Give the simulator a command about the company's token."""
        return self.simulator.control(command, token=self.token, **given)

    def accepted(self) -> int:
        """Return how many of the company's sockets were accepted so far."""
        return int(self.simulator.state(self.token)["accepted"])


@contextmanager
def two_servers(url: str, folder: Path) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Yield the owner of one company's socket, and a server that waits."""
    with ServerProcess(url, folder) as first:
        first.wait_for_sockets(1)
        with ServerProcess(url, folder) as second:
            yield first, second
