"""A WebSocket server for frames that the simulator's libraries never send."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from tests.support.receiver import Behaviour, Received, hang

OPEN = '0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
CONNECT = '40{"sid":"socket"}'


def websocket(*frames: str, then: Callable[[bytes], Behaviour] = hang) -> Callable[..., Behaviour]:
    """Return an answer that upgrades, sends these text frames, and then calls `then`."""

    def answer(request: Received) -> Behaviour:
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        return then(head + b"".join(text_frame(frame.encode()) for frame in frames))

    return answer


def text_frame(payload: bytes, *, first: int = 0x81) -> bytes:
    """A frame as RFC 6455 5.2 has it; `first` is 0x81 for a final one of text."""
    length = len(payload)
    if length < 126:
        return bytes([first, length]) + payload
    if length < 65_536:
        return bytes([first, 126]) + length.to_bytes(2, "big") + payload
    return bytes([first, 127]) + length.to_bytes(8, "big") + payload
