"""One connection to a receiver: a request goes out, an answer of bounded size comes in."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead
from typing import cast

from webhookproxy.network.http.common_answer import BODILESS, CommonAnswer, read_common

Answer = HTTPResponse | CommonAnswer

# Bytes of status line and headers, interim answers (1xx) included. http.client's own limits (100
# headers of 65,536 bytes, interim answers without end) would let a fast receiver keep the reader
# busy, and a greenlet that never waits is never interrupted by its deadline.
HEAD_MAX = 262_144
# Bytes of a body read only so that the connection can be used again: cheaper than a new one.
DRAINED_MAX = 16_384
# Most answers are shorter: one read is all that they take.
_FIRST = 8_192
# What the framing of a chunked body may add to it.
_FRAMING_MAX = 65_536
_VERSION = b"HTTP/"
_SWITCHING_PROTOCOLS = 101


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
        # Whether nothing more is to be read from the socket.
        self.sealed = False
        # The bytes that receive() got and readinto() is to give again.
        self.again = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # is always one here
        if self.again:
            count = min(len(buffer), len(self.again))
            buffer[:count], self.again = self.again[:count], self.again[count:]
            return count
        return 0 if self.sealed else self._counted(self._sock.recv_into(buffer))

    def receive(self, size: int) -> bytes:
        """Return at most `size` bytes, as they come; none once the receiver closed its side."""
        data = self._sock.recv(size)
        self._counted(len(data))
        return data

    def _counted(self, count: int) -> int:
        self.received += count
        self.ended = not count
        if self.received > self.allowed:
            raise TooMuch("the answer is too long")
        return count


class _Reader(io.BufferedReader):
    """The bytes for http.client; knows in the end whether some came that were no part of it."""

    def __init__(self, incoming: _Counted) -> None:
        super().__init__(incoming)
        self._incoming = incoming
        self.had_more = False

    def close(self) -> None:
        if not self.closed:
            self._incoming.sealed = True
            self.had_more = bool(self.peek(1))
        super().close()


class Link:
    """A connected socket, with TLS or without; used by one greenlet at a time.

    `origin` tells the connections apart that lead to different servers.
    """

    def __init__(self, sock: socket.socket, origin: str) -> None:
        self.sock = sock
        self.origin = origin
        # On the monotonic clock.
        self.idle_since = 0.0
        # Whether the bytes that came last did not begin an answer.
        self.out_of_step = False
        self._incoming = _Counted(sock)
        self._reader: _Reader | None = None

    @property
    def answered(self) -> bool:
        """Whether anything came back for the last request."""
        return self._incoming.received > 0

    def close(self) -> None:
        """Close at once."""
        self.sock.close()

    # The name under which http.client asks a socket for its bytes.
    def makefile(self, _mode: str) -> io.BufferedReader:
        if self._reader is None:
            self._reader = _Reader(self._incoming)
        return self._reader

    def ask(self, message: bytes) -> Answer:
        """Send a request and read the answer's status line and headers.

        Raises OSError if the connection ended before they were whole, and HTTPException or
        ValueError for what is not HTTP.
        """
        self._incoming = _Counted(self.sock)
        self._reader = None
        # It may have answered early (413) and closed: that answer is still there to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._send(message)
        data = self._incoming.receive(_FIRST)
        if (common := read_common(data, self._incoming.receive)) is not None:
            return common
        if not data.startswith(_VERSION[: len(data)]):
            self.out_of_step = True
            raise BadStatusLine("no status line")
        self._incoming.again = data
        return self._read_by_http_client()

    def _send(self, message: bytes) -> None:
        # gevent's sendall asks the kernel for the size of its buffer at every call.
        if (sent := self.sock.send(message)) < len(message):
            self.sock.sendall(memoryview(message)[sent:])

    def _read_by_http_client(self) -> HTTPResponse:
        """Read the head of the final answer; interim ones may come before it (RFC 9110, 15.2)."""
        while True:
            answer = HTTPResponse(cast("socket.socket", self), method="POST")
            try:
                self._begin(answer)
            except BaseException:
                # From Python 3.13 on, one that is left to the garbage collector complains on
                # stderr.
                answer.close()
                raise
            if answer.status >= 200:
                return answer
            # The reader goes on: the next answer begins where this one ended.
            answer.fp = None  # type: ignore[assignment]  # as http.client itself does
            answer.close()

    def _begin(self, answer: HTTPResponse) -> None:
        answer.begin()
        # http.client takes the end of the connection for the end of the headers.
        if self._incoming.ended:
            raise ConnectionResetError("the connection ended inside the headers")
        if answer.status == _SWITCHING_PROTOCOLS:
            raise BadStatusLine(str(answer.status))

    def read_body(self, answer: Answer, content: bytearray, limit: int) -> bool:
        """Append at most `limit` bytes of the body; whether the connection can be used again.

        A body that is cut short is no error. Raises HTTPException for a chunk that is none.
        """
        self.allow(limit + DRAINED_MAX)
        # Nothing is gained by waiting for the end of a long body: a new connection costs less.
        short = (answer.length or 0) <= limit + DRAINED_MAX
        try:
            whole = _read(answer, content, limit)
            if short and not answer.will_close and not whole:
                whole = _read(answer, bytearray(), DRAINED_MAX)
            return short and whole and self.is_reusable(answer)
        except (OSError, TooMuch):
            return False
        except IncompleteRead:
            if self._incoming.ended:
                return False
            raise

    def allow(self, size: int) -> None:
        """Have a body of this size be read after what was read so far."""
        self._incoming.allowed = self._incoming.received + size + _FRAMING_MAX

    def is_reusable(self, answer: Answer) -> bool:
        """Whether another request may follow an answer that was read whole; closes the answer."""
        answer.close()
        more = self._reader is not None and self._reader.had_more
        return not (more or self._incoming.ended or answer.will_close or _announces_more(answer))


def is_whole(answer: Answer) -> bool:
    """Whether all of a body of known length was read."""
    return answer.isclosed() if answer.chunked else answer.length == 0


def _read(answer: Answer, content: bytearray, limit: int) -> bool:
    """Append up to `limit` bytes; whether that was the end of the body."""
    while len(content) < limit:
        piece = answer.read1(limit - len(content))
        if not piece:
            return is_whole(answer)
        content += piece
    return answer.length == 0 and not answer.chunked


def _announces_more(answer: Answer) -> bool:
    """Whether a body is announced where none may be: it may still come."""
    if answer.status not in BODILESS:
        return False
    length = answer.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in answer.headers
