"""The catalogue's samples as texts with slots, so that one call has the same ids everywhere.

Every sample uses the same invented values (company 4242, agent 7007, call TEL0000001 ...). Putting
other values in their place in the text keeps key order and types as they are (`7007` stays a
number, `"7007"` a string), and costs microseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from webhookproxy.events.catalog import CATALOG

# The times of a call stay the same in all its events; every other Unix time is the clock.
_UNIX = r"179\d{7}(?!\d)"
_SLOTS = {
    "dialed": rf'(?:(?<="dialed_time":)|(?<="dialed_time":")){_UNIX}',
    "answered": rf'(?:(?<="answered_time":)|(?<="answered_time":")){_UNIX}',
    "connected": rf'(?:(?<="connected_time":)|(?<="connected_time":")){_UNIX}',
    "clock": rf"(?<!\d){_UNIX}",
    "boot": r"2026-11-23T12:00:00\.123456\+00:00",
    "micro": r"2026-11-23T12:00:00\.000000Z",
    "milli": r"2026-11-23T12:00:00\.000Z",
    "local": r"2026-11-23 09:00:00",
    "local_br": r"23/11/2026 09:00:00",
    "company": r"\b4242\b",
    "campaign": r"\b9001\b",
    "agent": r"\b7007\b",
    "agent_name": r"\bAgente 7\b",
    "agent_code": r"\bAGT0000007\b",
    "extension": r"\b8007\b",
    "extension_number": r"\b1007\b",
    "agent_status": r"\b80007\b",
    "settings": r"\b90007\b",
    "call": r"\bTEL0000001\b",
    "sid": r"\bSID0000001\b",
    "phone": r"\b5541900000001\b",
    "identifier": r"\bCLI-0001\b",
    "customer": r"\bCliente 1\b",
    "mailing": r"\b68000000000000000000aa01\b",
    "history": r"\b68000000000000000000bb01\b",
    "chat": r"\b70001\b",
    "contact": r"\b60001\b",
    "message": r"\bMSG00000000000000001\b",
}
_SLOT = re.compile("|".join(f"(?P<{slot}>{pattern})" for slot, pattern in _SLOTS.items()))

UNANSWERED_HISTORY = "call-history-was-created (not answered)"


class Sample:
    """One payload text, cut where a value goes."""

    def __init__(self, payload: Any) -> None:
        text = compact(payload)
        self._parts: list[tuple[str, str]] = []
        start = 0
        for match in _SLOT.finditer(text):
            self._parts.append((text[start : match.start()], str(match.lastgroup)))
            start = match.end()
        self._tail = text[start:]

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the JSON text with `values`, one for each slot."""
        pieces: list[str] = []
        for literal, slot in self._parts:
            pieces.append(literal)
            pieces.append(values[slot])
        pieces.append(self._tail)
        return "".join(pieces)


def compact(value: Any) -> str:
    """Return `value` as JSON the way JavaScript's `JSON.stringify` writes it.

    No spaces and letters as they are; a text with a lone surrogate, which UTF-8 cannot carry, is
    escaped throughout.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _load() -> dict[str, Sample]:
    payloads = {event.name: event.sample for event in CATALOG.values()}
    history = payloads["call-history-was-created"]
    # A call that no agent took: status 5, and the agent's id arrives as 0.
    record = {**history["callHistory"], "status": 5, "agent": {"id": 0, "name": None}}
    payloads[UNANSWERED_HISTORY] = {**history, "callHistory": record}
    return {name: Sample(payload) for name, payload in payloads.items()}


SAMPLES = _load()
"""Every event name of the catalogue, and `UNANSWERED_HISTORY`, with its sample."""
