"""Sources of bodies, and what PHP reads from a form."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.contract import Source


def make_source(event: str = "call-was-created", payload: object = None, **changes: Any) -> Source:
    """Return a source; a payload that is no text is written as JSON."""
    if payload is None:
        payload = CATALOG[event].sample
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    arguments: dict[str, Any] = {
        "socket_id": "socket_123",
        "token_mask": "rRrX…8KrL",
        "received_at_ms": 1_704_067_200_000,
        "webhook_id": 456,
        "company_id": 789,
        "event_id": "evt_018cc251f4007000800000000000002a",
    }
    return Source(event=event, payload=text, **(arguments | changes))


def php_reads(body: bytes) -> dict[str, Any]:
    """Return what PHP's $_POST holds: nested by brackets, every value a text."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True):
        first, *more = name.replace("]", "").split("[")
        keys, node = [first, *more], found
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = value
    return found


def php_holds(value: Any) -> Any:
    """Return the texts that PHP would hold of a value; None for what is left out."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        held = {str(key): php_holds(each) for key, each in items}
        return {key: each for key, each in held.items() if each is not None} or None
    if value is None or isinstance(value, str):
        return value
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else json.dumps(value)
