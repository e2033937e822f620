"""A receiver as an integrator would write it: checks the signature, answers 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One POST: its path, body and time, and whether its signatures were right."""

    path: str
    event: str
    event_id: str
    payload: Any
    at: float
    verified: bool


class Receiver:
    """An HTTP server on loopback that keeps every POST."""

    def __init__(self, secrets: dict[str, str], *, talkative: bool) -> None:
        self.received: list[Received] = []
        self._secrets = secrets
        self._talkative = talkative
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        """Return the address of one of its paths."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, headers: Any, body: bytes) -> None:
        """Keep one POST and print its line."""
        at = time.time()
        message = json.loads(body)
        verified = verify(self._secrets[path], headers, body)
        received = Received(
            path,
            message["event"],
            message["meta"]["event_id"],
            message["payload"],
            at,
            verified,
        )
        with self._lock:
            self.received.append(received)
            if self._talkative:
                state = "assinatura confere" if verified else "ASSINATURA NÃO CONFERE"
                print(f"  {path} recebeu {received.event} ({len(body)} bytes, {state})", flush=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.take(self.path, self.headers, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Print nothing: the line of take() says more than the server's own."""

        return Handler


def verify(secret: str, headers: Any, body: bytes) -> bool:
    """Return whether both signatures are right: ours and that of Standard Webhooks."""
    key = secret.encode()
    plain = hmac.new(key, body, hashlib.sha256).hexdigest()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    standard = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(plain, headers["X-Signature-SHA256"] or "") and hmac.compare_digest(
        standard, headers["webhook-signature"] or ""
    )
