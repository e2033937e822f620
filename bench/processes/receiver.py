"""A receiver that is fast enough not to limit a measurement.

`python -m bench.processes.receiver SECRET` answers every POST with 200. For each path and `seq` of
the payload it remembers when the first POST came, and in `took` how many milliseconds after it left
the simulator. `GET /arrivals` returns that, `DELETE /arrivals` forgets it. After `PUT /down` every
POST is answered with 503, until `PUT /up`; a path that begins with `/slow` is answered after 0.3 s.
Times are seconds of the machine's monotonic clock, which all processes share.
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
_EMITTED_AT = re.compile(rb'"emitted_at": ?([0-9.]+)')
_SEQ = re.compile(rb'"seq": ?(\d+)')
_SLOW_SECONDS = 0.3
_DOWN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
# For a relay that opens a connection per event: thousands at once.
_BACKLOG = 4096


class Arrivals:
    """The POSTs that came, and whether they were signed."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.down = False
        self.forget()

    def forget(self) -> None:
        """Forget all arrivals."""
        self._first: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._took: list[float] = []
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
            if (emitted := _EMITTED_AT.search(body)) is not None:
                self._took.append(round((now - float(emitted[1])) * 1000, 3))

    def told(self) -> bytes:
        """Return the arrivals as JSON."""
        total = sum(len(seen) for seen in self._first.values())
        facts = {"total": total, "doubled": self._doubled, "unsigned": self._unsigned}
        return json.dumps({**facts, "took": self._took, "first": self._first}).encode()

    def count(self) -> bytes:
        """Return only how many came: asked often while events arrive."""
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
            answer = self._answer(head, body)
            if head.startswith(b"POST /slow"):
                loop = asyncio.get_running_loop()
                loop.call_later(_SLOW_SECONDS, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST "):
            if self._arrivals.down:
                return _DOWN
            self._arrivals.take(head, body)
            return _OK
        if head.startswith(b"PUT "):
            self._arrivals.down = head.startswith(b"PUT /down ")
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
