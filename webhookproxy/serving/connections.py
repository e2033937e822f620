"""The open connections to the pages: bounded for each address and in all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from webhookproxy.network.addresses import counted_as

PER_ADDRESS = 50
# Below gunicorn's `worker_connections`, so that a new connection is always accepted.
IN_ALL = 400


@dataclass(slots=True)
class _Connection:
    client: socket.socket
    address: str
    is_stream: bool = False


class Connections:
    """Closes the oldest connection when one address, or all of them together, have too many.

    The oldest goes, not the newest: a visitor who sends slowly or does not read loses the place to
    the next one, who may share the address. Live streams are left out, because they have a bound
    of their own (see `broadcast`).
    """

    def __init__(self) -> None:
        # In the order in which they came.
        self._open: dict[socket.socket, _Connection] = {}

    @contextmanager
    def open(self, client: socket.socket, address: str) -> Iterator[None]:
        """Count a connection while the block runs; `address` is its peer."""
        self._open[client] = _Connection(client, counted_as(address))
        self._make_room(self._open[client])
        try:
            yield
        finally:
            self._open.pop(client, None)

    def begin(self, client: socket.socket, address: str) -> None:
        """Count a connection for the visitor whose request came over it, as a proxy tells."""
        connection = self._open.get(client)
        if connection is not None and connection.address != counted_as(address):
            connection.address = counted_as(address)
            self._make_room(connection)

    def is_stream(self, client: socket.socket) -> None:
        """Leave a connection out of the bounds: its answer has no end."""
        if client in self._open:
            self._open[client].is_stream = True

    def _make_room(self, newest: _Connection) -> None:
        bounded = [each for each in self._open.values() if not each.is_stream]
        of_address = [each for each in bounded if each.address == newest.address]
        if len(of_address) > PER_ADDRESS:
            self._close(of_address[0])
        elif len(bounded) > IN_ALL:
            self._close(bounded[0])

    def _close(self, connection: _Connection) -> None:
        """Wake whatever waits for a connection; its greenlet ends by itself."""
        del self._open[connection.client]
        # gevent's shutdown() raises in the greenlet that waits for that very object.
        with suppress(OSError), connection.client.dup() as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
