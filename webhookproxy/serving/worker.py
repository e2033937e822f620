"""gunicorn's worker with a deadline for clients that send slowly or do not read."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from gevent.server import StreamServer
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from webhookproxy.serving.connections import Connections

# How long one send or one read may wait for the other side, in seconds.
WAIT_SECONDS = 30
SEND_BUFFER = 65_536
# A timer, because only then the hub looks at the sockets in between.
TURN_SECONDS = 0.001
# The rest of a body that was refused, in seconds and in reads of 64 KB.
DISCARD_SECONDS = 1.0
DISCARD_READS = 32
# Monitors do not wait in line.
HEALTH_PATH = "/saude"

StartResponse = Callable[..., Callable[[bytes], object]]


class Worker(GeventWorker):
    """A gevent worker whose connections are bounded, see Connections."""

    # The application, which the parent class loads.
    wsgi: Callable[..., Iterable[bytes]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = Connections()
        self._turn = BoundedSemaphore()

    def init_process(self) -> None:
        """Run the worker until it is told to stop."""
        # Ten new connections at a time, not a hundred: events have their turn in between.
        StreamServer.max_accept = 10
        super().init_process()

    def handle(self, listener: socket.socket, client: socket.socket, addr: tuple[str, int]) -> None:
        """Serve one connection until it ends."""
        client.settimeout(WAIT_SECONDS)
        # What is not read fills the kernel's buffer first, which is 2.5 MB if it is let grow.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        with self._connections.open(client, addr[0] if addr else ""):
            # Not GeventWorker's: all that it adds is to take the timeout away.
            AsyncWorker.handle(self, listener, client, addr)

    def handle_request(
        self, listener_name: str, req: Any, sock: socket.socket, addr: tuple[str, int]
    ) -> None:
        """Answer one request; a client that did not read in time is let go without a log line."""
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            raise StopIteration from None
        if getattr(req.body.reader, "length", None) != 0:
            _discard(sock)
            raise StopIteration

    def watch(self, address_of: Callable[[dict[str, Any]], str]) -> None:
        """Count each connection for the visitor of its request; called when the app is loaded.

        `address_of` tells the visitor's address from a request's WSGI environment.
        """
        application = self.wsgi

        def watched(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            client = environ["gunicorn.socket"]
            self._connections.begin(client, address_of(environ))
            if environ["PATH_INFO"] != HEALTH_PATH:
                # However many requests wait, the sockets are read before the next one begins.
                with self._turn:
                    gevent.sleep(TURN_SECONDS)

            def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                if dict(headers).get("Content-Type", "").startswith("text/event-stream"):
                    self._connections.is_stream(client)
                return start_response(status, headers, *rest)

            return application(environ, started)

        self.wsgi = watched


def _discard(sock: socket.socket) -> None:
    """Read what the client goes on sending, for a moment: only then it reads our refusal."""
    sock.shutdown(socket.SHUT_WR)
    with gevent.Timeout(DISCARD_SECONDS, False):  # type: ignore[arg-type]
        for _ in range(DISCARD_READS):
            if not sock.recv(65_536):
                break
