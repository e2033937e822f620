"""Rows of processes, as they would write them."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask

from tests.web.support.sockets import execute

# However slow the machine is, the sign is not old when it is looked at.
FRESH_MS = -240_000
_ROW: dict[str, Any] = {
    "host": "relay-1",
    "pid": 4321,
    "version": "1.0",
    "sockets_wished": 12,
    "sockets_connected": 11,
    "events_per_second": 1234.5,
    "deliveries_per_second": 1200.0,
    "core_share": 0.456,
    "memory_bytes": 212_400_000,
}


def process(
    app: Flask,
    name: str,
    role: str,
    *,
    ago_ms: int = FRESH_MS,
    started_ago_ms: int = 0,
    **changed: Any,
) -> None:
    """Write the row of a process that gave its last sign of life `ago_ms` ago."""
    now = int(time.time() * 1000)
    started = now - started_ago_ms
    values = {
        **_ROW,
        "name": name,
        "role": role,
        "started_at": started,
        "role_since": started,
        "seen_at": now - ago_ms,
        **changed,
    }
    names, places = ", ".join(values), ", ".join(f":{each}" for each in values)
    execute(app, f"INSERT INTO processes ({names}) VALUES ({places})", **values)
