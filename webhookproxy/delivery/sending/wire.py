"""One connection to a receiver: a request goes out, an answer of bounded size comes in."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead
from typing import cast

from webhookproxy.delivery.sending.common_answer import CommonAnswer, read_common

Answer = HTTPResponse | CommonAnswer

# Bytes of status line and headers, interim "100 Continue" included. http.client's own limits (100
# headers of 65,536 bytes, interim answers without end) would let a fast receiver keep the reader
# busy, and a greenlet that never waits is never interrupted by its deadline.
HEAD_MAX = 262_144
# Bytes of a body read only so that the connection can be used again: cheaper than a new one.
DRAINED_MAX = 16_384
# Most answers are shorter: one read is all that they take.
_FIRST = 8_192
# What the framing of a chunked body may add to it.
_FRAMING_MAX = 65_536


class TooMuch(HTTPException):
    """The receiver sent more than is read."""


class _Counted(io.RawIOBase):
    """The bytes that arrive for one answer, counted and limited."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self.received = 0
        self.allowed = HEAD_MAX
        # Whether the receiver has closed its side.
        self.ended = False
        # What receive() got and readinto() is to give once more.
        self.again = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # is always one here
        if self.again:
            count = min(len(buffer), len(self.again))
            buffer[:count], self.again = self.again[:count], self.again[count:]
            return count
        return self._counted(self._sock.recv_into(buffer))

    def receive(self, size: int) -> bytes:
        """At most so many bytes, as they come; none once the receiver has closed its side."""
        data = self._sock.recv(size)
        self._counted(len(data))
        return data

    def _counted(self, count: int) -> int:
        self.received += count
        self.ended = not count
        if self.received > self.allowed:
            raise TooMuch("the answer is too long")
        return count


class Link:
    """A connected socket, with TLS or without; used by one greenlet at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        # On the monotonic clock.
        self.idle_since = 0.0
        self._incoming = _Counted(sock)

    @property
    def answered(self) -> bool:
        """Whether anything came back for the last request."""
        return self._incoming.received > 0

    def close(self) -> None:
        """Close at once."""
        self.sock.close()

    # The name under which http.client asks a socket for its bytes.
    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._incoming)

    def ask(self, message: bytes) -> Answer:
        """Send a request and read the answer's status line and headers.

        Raises OSError if the connection ended before they were whole, and HTTPException or
        ValueError for what is not HTTP. An interim answer other than 100 counts as such: nothing
        that this program sends asks for one.
        """
        self._incoming = _Counted(self.sock)
        # It may have answered early (413) and closed: that answer is still there to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(message)
        data = self._incoming.receive(_FIRST)
        if (common := read_common(data, self._incoming.receive)) is not None:
            return common
        self._incoming.again = data
        return self._read_by_http_client()

    def _send(self, message: bytes) -> None:
        # gevent's sendall asks the kernel for the size of its buffer at every call.
        if (sent := self.sock.send(message)) < len(message):
            self.sock.sendall(memoryview(message)[sent:])

    def _read_by_http_client(self) -> HTTPResponse:
        answer = HTTPResponse(cast("socket.socket", self), method="POST")
        try:
            self._begin(answer)
        except BaseException:
            # From Python 3.13 on, one that is left to the garbage collector complains on stderr.
            answer.close()
            raise
        return answer

    def _begin(self, answer: HTTPResponse) -> None:
        answer.begin()
        # http.client takes the end of the connection for the end of the headers.
        if self._incoming.ended:
            raise ConnectionResetError("the connection ended inside the headers")
        if answer.status < 200:
            raise BadStatusLine(str(answer.status))

    def read_body(self, answer: Answer, content: bytearray, limit: int) -> bool:
        """Append at most `limit` bytes of the body; whether the connection can be used again.

        A body that is cut short is no error. Raises HTTPException for a chunk that is none.
        """
        incoming = self._incoming
        incoming.allowed = incoming.received + limit + DRAINED_MAX + _FRAMING_MAX
        # Nothing is gained by waiting for the end of a long body: a new connection costs less.
        reusable = not answer.will_close and (answer.length or 0) <= limit + DRAINED_MAX
        try:
            whole = _read(answer, content, limit)
            if reusable and not whole:
                whole = _read(answer, bytearray(), DRAINED_MAX)
            return reusable and whole and not incoming.ended
        except (OSError, TooMuch):
            return False
        except IncompleteRead:
            if incoming.ended:
                return False
            raise


def _read(answer: Answer, content: bytearray, limit: int) -> bool:
    """Append up to `limit` bytes; whether that was the end of the body."""
    while len(content) < limit:
        piece = answer.read1(limit - len(content))
        if not piece:
            break
        content += piece
    else:
        return answer.length == 0 and not answer.chunked
    return answer.isclosed() if answer.chunked else answer.length == 0
