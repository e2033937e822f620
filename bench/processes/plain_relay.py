"""The plain relay: `python -m bench.processes.plain_relay SOCKET_URL TOKEN WEBHOOK_URL SECRET`.

A program that can be written in an afternoon: python-socketio under gevent, and a handler that
signs each event and calls `requests.post`. It stores nothing, retries nothing and prints nothing.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - nothing may be imported before the patch
import hmac
import json
import resource
import sys
from typing import Any
from urllib.parse import urlencode

import requests

# The package has no types.
import socketio


def main(socket_url: str, token: str, webhook_url: str, secret: str) -> None:
    """Relay until the process is ended."""
    # The library runs each handler in its own greenlet, so a burst opens many connections.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    client = socketio.Client()
    session_id = ""

    def relay(event: str, payload: Any) -> None:
        message = {"event": event, "payload": payload, "meta": {"socketId": session_id}}
        body = json.dumps(message).encode()
        signature = hmac.digest(secret.encode(), body, "sha256").hex()
        headers = {"Content-Type": "application/json", "X-Signature-SHA256": signature}
        requests.post(webhook_url, data=body, headers=headers, timeout=15)

    client.on("*", relay)
    client.connect(f"{socket_url}/?{urlencode({'token': token})}", transports=["websocket"])
    session_id = client.get_sid() or ""
    client.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
