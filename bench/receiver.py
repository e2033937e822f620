"""`python -m bench.receiver SECRET`: a receiver cheap enough not to be what is measured.

Answers every POST with 200 and remembers, per path and `seq` of the payload, when it came first.
`GET /arrivals` tells; `DELETE /arrivals` forgets. Times are seconds of the machine's monotonic
clock, which all processes share.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sys
import time
from collections import defaultdict

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SIGNATURE = re.compile(rb"\r\nx-signature-sha256: *([0-9a-f]{64})\r\n", re.IGNORECASE)
_SEQ = re.compile(rb'"seq": ?(\d+)')
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# A relay that opens a connection for each event opens thousands at once.
_BACKLOG = 4096


class Arrivals:
    """What came, and whether it was signed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._first: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._doubled = 0
        self._unsigned = 0

    def take(self, head: bytes, body: bytes) -> None:
        """Count one POST."""
        now = time.monotonic()
        signature = _SIGNATURE.search(head)
        right = hmac.digest(self._secret, body, "sha256").hex().encode()
        if signature is None or not hmac.compare_digest(signature[1], right):
            self._unsigned += 1
        found = _SEQ.search(body)
        seen = self._first[head.split(b" ", 2)[1].decode()]
        seq = int(found[1]) if found else 0
        if seq in seen:
            self._doubled += 1
        else:
            seen[seq] = now

    def told(self) -> bytes:
        """The arrivals as JSON."""
        total = sum(len(seen) for seen in self._first.values())
        facts = {"total": total, "doubled": self._doubled, "unsigned": self._unsigned}
        return json.dumps({**facts, "first": self._first}).encode()

    def count(self) -> bytes:
        """Only how many came: asked for often while events arrive."""
        return b"%d" % sum(len(seen) for seen in self._first.values())


class Protocol(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[: end + 2]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._transport.write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST "):
            self._arrivals.take(head, body)
            return _OK
        if head.startswith(b"DELETE "):
            self._arrivals.forget()
            return _OK
        text = self._arrivals.count() if b" /count " in head else self._arrivals.told()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


async def serve(secret: str) -> None:
    """Listen on a free port of loopback until the process is ended."""
    arrivals = Arrivals(secret.encode())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(arrivals), "127.0.0.1", 0, backlog=_BACKLOG)
    port = server.sockets[0].getsockname()[1]
    print(f"receiver listening on http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
