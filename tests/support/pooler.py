"""A connection pooler in transaction mode, as PgBouncer is one, small enough to read."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gevent.server import StreamServer
from sqlalchemy.engine import make_url

_NO_TLS = {80877103, 80877104}
_PARAMETERS = {
    "server_version": "17.0",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "integer_datetimes": "on",
}


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """Yield the URL of a pooler in front of this PostgreSQL database."""
    pooler = Pooler(str(make_url(url).query["host"]))
    server = StreamServer(("127.0.0.1", 0), pooler.serve)
    server.start()
    address = make_url(url).set(host="127.0.0.1", port=server.server_port, query={})
    yield address.render_as_string(hide_password=False)
    server.stop()
    for backend in pooler.free:
        backend.close()


class Pooler:
    """Gives each transaction the session that was free last, or a new one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.free: list[socket.socket] = []

    def serve(self, client: socket.socket, _address: Any) -> None:
        """Answer one client until it goes."""
        backend = None
        try:
            startup = self._greet(client)
            while (message := _message(client))[:1] != b"X":
                backend = backend or (self.free.pop() if self.free else self._open(startup))
                backend.sendall(message)
                if message[:1] in b"QS" and self._answer(backend, client):
                    self.free.append(backend)
                    backend = None
        except (ConnectionError, OSError):
            pass
        finally:
            # A client that goes in the middle of a transaction leaves its session behind.
            if backend is not None:
                backend.close()

    def _greet(self, client: socket.socket) -> bytes:
        startup = _startup(client)
        while struct.unpack("!i", startup[4:8])[0] in _NO_TLS:
            client.sendall(b"N")
            startup = _startup(client)
        told = b"".join(
            _made(b"S", f"{name}\0{value}\0".encode()) for name, value in _PARAMETERS.items()
        )
        key = _made(b"K", struct.pack("!ii", 1, 1))
        client.sendall(_made(b"R", struct.pack("!i", 0)) + told + key + _made(b"Z", b"I"))
        return startup

    def _open(self, startup: bytes) -> socket.socket:
        backend = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        backend.connect(f"{self._folder}/.s.PGSQL.5432")
        backend.sendall(startup)
        while _message(backend)[:1] != b"Z":
            pass
        return backend

    def _answer(self, backend: socket.socket, client: socket.socket) -> bool:
        """Pass the answer on; return whether the transaction is over."""
        while True:
            message = _message(backend)
            client.sendall(message)
            if message[:1] == b"Z":
                return message[5:6] == b"I"


def _made(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _message(source: socket.socket) -> bytes:
    kind = _exactly(source, 1)
    return kind + _startup(source)


def _startup(source: socket.socket) -> bytes:
    length = _exactly(source, 4)
    return length + _exactly(source, struct.unpack("!i", length)[0] - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise ConnectionError
        found += part
    return found
