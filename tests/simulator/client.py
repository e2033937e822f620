"""A client of the simulator that shows every frame as it came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import websocket

from tests.support.simulator_process import SimulatorProcess

SECONDS = 20.0


class Client:
    """An Engine.IO client that shows every text frame as it came."""

    def __init__(self, simulator: SimulatorProcess, token: str, **query: str) -> None:
        asked = urlencode({"EIO": 4, "transport": "websocket", "token": token, **query})
        address = simulator.url.replace("http", "ws", 1) + f"/socket.io/?{asked}"
        self.socket = websocket.create_connection(address, timeout=SECONDS)
        self.opening = json.loads(self.frame()[1:])
        self.socket.send("40")
        self.answer = self.frame()

    def frame(self) -> Any:
        """Return the next frame that is no ping: text, bytes, or "" for the closing frame."""
        while (frame := self.socket.recv()) == "2":
            self.socket.send("3")
        return frame

    def event(self) -> tuple[str, Any]:
        """Return the next event's name and first argument."""
        name, *arguments = json.loads(self.frame().removeprefix("42"))
        return name, arguments[0] if arguments else None

    def hears_nothing(self, seconds: float) -> bool:
        """Return whether no frame, not even a ping, comes for `seconds`."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv()
        except websocket.WebSocketTimeoutException:
            return True
        finally:
            self.socket.settimeout(SECONDS)
        return False


@contextmanager
def connected(simulator: SimulatorProcess, token: str, **query: str) -> Iterator[Client]:
    """An accepted client."""
    client = Client(simulator, token, **query)
    try:
        assert client.answer.startswith('40{"sid":')
        yield client
    finally:
        client.socket.close(timeout=0)
