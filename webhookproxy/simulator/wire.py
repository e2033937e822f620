"""Below Socket.IO: frames sent exactly as they are, sockets that freeze, sockets cut off."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LINE = "webhookproxy.line"
"""The key of a websocket's ASGI scope that holds its `Line`."""

_ENGINE_MESSAGE = 4


class RawFrame:
    """One websocket frame (text or bytes) that leaves exactly as given.

    It stands in for an `engineio.packet.Packet`. python-engineio keeps each client's socket in
    `server.eio.sockets[sid]`; what `socket.send(packet)` gets waits in one queue with the pings
    and Socket.IO's own packets, and the writer at its end calls nothing but `packet.encode()`. So
    frames stay in order with everything else, and `1` (close) or a broken packet pass as well.
    """

    packet_type = _ENGINE_MESSAGE

    def __init__(self, data: str | bytes) -> None:
        self.data = data

    def encode(self) -> str | bytes:
        """Return the frame's content."""
        return self.data


class Line:
    """One websocket between the web server and python-engineio, which can freeze or break."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._frozen_until = 0.0
        self._gone = False

    @property
    def frozen(self) -> bool:
        """Return whether everything that is sent goes nowhere."""
        return time.monotonic() < self._frozen_until

    def freeze(self, seconds: float) -> None:
        """Send nothing for `seconds`, neither pings nor a close."""
        self._frozen_until = time.monotonic() + seconds

    def abort(self) -> None:
        """Cut the TCP connection with no closing frame."""
        # The ASGI `send` of uvicorn is a method of its protocol, which holds the transport.
        self._send.__self__.transport.abort()  # type: ignore[attr-defined]

    async def receive(self) -> Message:
        """The ASGI receive given to python-engineio."""
        message = await self._receive()
        self._gone = message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """The ASGI send given to python-engineio."""
        if message["type"] == "websocket.accept" or not self.frozen:
            await self._send(message)

    async def hold(self) -> None:
        """Keep a frozen socket open after python-engineio gave it up for lack of pongs."""
        while not self._gone and (left := self._frozen_until - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self.receive(), None if math.isinf(left) else left)
            except TimeoutError:
                return


def with_lines(application: Application) -> Application:
    """Return `application` with a `Line` in the scope of each websocket."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await application(scope, receive, send)
            return
        line = scope[LINE] = Line(receive, send)
        await application(scope, line.receive, line.send)
        await line.hold()

    return wrapped
