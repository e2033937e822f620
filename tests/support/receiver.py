"""A real HTTP receiver on loopback, which records what comes and answers as told."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import gevent
from gevent.event import Event
from gevent.server import StreamServer
from requests.structures import CaseInsensitiveDict


@dataclass(frozen=True)
class Received:
    """One request: `at` is on the monotonic clock, `number` counts from 1 over the receiver,
    `connection` tells the connections apart, from 1 too."""

    method: str
    path: str
    headers: CaseInsensitiveDict[str]
    body: bytes
    at: float
    number: int
    connection: int


# A bad answer gets the socket after the request was read; the connection ends after it.
Behaviour = Callable[[socket.socket], None]
# Status, headers, body; Content-Length is added.
Plain = tuple[int, Mapping[str, str], bytes]
Answer = Plain | Callable[[Received], Plain | Behaviour]

OK: Plain = (200, {"Content-Type": "application/json"}, b'{"status":"ok"}')


class Receiver:
    """Listens while its `with` block lasts.

    `answer`, or what it returns for a request, is sent; it may be replaced at any time. `greeting`
    gets each new connection before anything is read and decides its whole life: for servers that
    are no HTTP servers. `tls` makes it an https server.
    """

    def __init__(
        self,
        answer: Answer = OK,
        *,
        greeting: Behaviour | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.answer: Answer = answer
        self.greeting = greeting
        self.requests: list[Received] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._host = host
        self._arrived = Event()
        self._server = StreamServer((host, 0), self._handle)

    def __enter__(self) -> Self:
        self._server.start()
        self.port = int(self._server.socket.getsockname()[1])
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop(timeout=0)

    def url(self, path: str = "/", host: str | None = None) -> str:
        """A URL here; `host` replaces the address, for names that a test resolves itself."""
        shown = host or (f"[{self._host}]" if ":" in self._host else self._host)
        return f"{'https' if self._tls else 'http'}://{shown}:{self.port}{path}"

    def wait_for(self, count: int, timeout: float = 60.0) -> list[Received]:
        """The first `count` requests, as soon as they are there; AssertionError after `timeout`
        seconds."""
        deadline = time.monotonic() + timeout
        while len(self.requests) < count:
            self._arrived.clear()
            self._arrived.wait(max(0.0, deadline - time.monotonic()))
            if time.monotonic() >= deadline and len(self.requests) < count:
                raise AssertionError(f"{len(self.requests)} of {count} requests came")
        return self.requests[:count]

    def _handle(self, sock: socket.socket, _address: object) -> None:
        self.connections += 1
        connection = self.connections
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            if self.greeting is not None:
                self.greeting(sock)
                return
            with sock.makefile("rb") as stream:
                while (request := self._read(stream.readline, stream.read, connection)) is not None:
                    if not self._reply(sock, request):
                        return
        except OSError:
            # A client may leave at any moment, and in many tests it does.
            pass
        finally:
            sock.close()

    def _read(
        self, readline: Callable[[], bytes], read: Callable[[int], bytes], connection: int
    ) -> Received | None:
        line = readline().decode("latin-1").split()
        if len(line) != 3:
            return None
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        while (field := readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = field.partition(":")
            if name in headers:
                raise AssertionError(f"the header {name} came twice")
            headers[name] = value.strip()
        body = read(int(headers.get("Content-Length", "0")))
        number = len(self.requests) + 1
        received = Received(line[0], line[1], headers, body, time.monotonic(), number, connection)
        self.requests.append(received)
        self._arrived.set()
        return received

    def _reply(self, sock: socket.socket, request: Received) -> bool:
        """Answer; return whether the connection stays open."""
        answer = self.answer if isinstance(self.answer, tuple) else self.answer(request)
        if isinstance(answer, tuple):
            sock.sendall(response(*answer))
            return True
        answer(sock)
        return False


def response(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of a complete answer."""
    fields = {"Content-Length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def raw(data: bytes) -> Behaviour:
    """Sends these bytes and closes."""
    return lambda sock: sock.sendall(data)


def reset(after: bytes = b"") -> Behaviour:
    """Sends these bytes and resets the connection (TCP RST)."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(after)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def hang(after: bytes = b"") -> Behaviour:
    """Return an answer that sends these bytes, and then waits for the client to leave."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(after)
        while sock.recv(65_536):
            pass

    return behave


def endless(piece: bytes, first: bytes = b"", every: float = 0.0) -> Behaviour:
    """Sends `first`, then `piece` again every `every` seconds, until the client leaves."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(first)
        while True:
            sock.sendall(piece)
            gevent.sleep(every)

    return behave
