"""A receiver for processes that gevent did not patch: it records each POST, and answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

# What is answered to a body: the status and the answer's own body.
Answer = Callable[[bytes], tuple[int, bytes]]


def accepts(_body: bytes) -> tuple[int, bytes]:
    """Everything."""
    return 200, b"ok"


class Receiver:
    """Listens while its `with` block lasts; `bodies` is what came, in the order in which it did.

    `answer` may be replaced while it listens.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer: Answer = accepts
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append(body)
                status, answer = receiver.answer(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
