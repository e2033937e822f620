"""A cable between two programs on loopback, which a test can cut and mend."""

from __future__ import annotations

import socket
from typing import Self

import gevent
from gevent.server import StreamServer


class Wire:
    """Forwards connections to a Unix socket while its `with` block lasts."""

    def __init__(self, path: str) -> None:
        self._target = path
        self._open: set[socket.socket] = set()
        self._connected = True
        self._server = StreamServer(("127.0.0.1", 0), self._forward)
        self.port = 0

    def __enter__(self) -> Self:
        self._server.start()
        self.port = int(self._server.socket.getsockname()[1])
        return self

    def __exit__(self, *_error: object) -> None:
        self.cut()
        self._server.stop(timeout=0)

    def cut(self) -> None:
        """End every connection, and each new one at once."""
        self._connected = False
        for sock in list(self._open):
            sock.close()

    def mend(self) -> None:
        """Forward everything again."""
        self._connected = True

    def _forward(self, near: socket.socket, _address: object) -> None:
        if not self._connected:
            near.close()
            return
        with socket.socket(socket.AF_UNIX) as far:
            far.connect(self._target)
            self._open |= {near, far}
            gevent.joinall(
                [gevent.spawn(self._copy, near, far), gevent.spawn(self._copy, far, near)]
            )
        self._open -= {near, far}
        near.close()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # Either end may have been closed, or cut, at any moment.
            for sock in (source, target):
                sock.close()
