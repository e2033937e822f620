"""Payloads as 3C Plus sends them, of made-up calls: thousands a second, the same each time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from webhookproxy.events import payload
from webhookproxy.events.catalog import CATALOG

AGENTS = 300
# How often each comes, of a hundred: what a call makes, and what its agent does.
_OF_CALLS = {
    "call-was-created": 18,
    "call-was-connected": 12,
    "call-was-answered": 12,
    "call-was-finished": 12,
    "call-history-was-created": 10,
}
_OF_AGENTS = {"agent-is-idle": 18, "agent-in-acw": 8, "agent-was-logged-out": 1}
# What of a sample changes from call to call; the rest stays.
_CHANGING = re.compile(
    r"(?P<phone>554190000\d{4})|(?P<call>TEL\d{7})|(?P<client>Cliente \d+)"
    r"|(?P<cpf>CLI-\d+)|(?P<agent_name>Agente 7)|(?P<agent>\b7007\b)"
)


@dataclass(frozen=True, slots=True)
class Call:
    """What the events of one call have in common; everything follows from its number."""

    number: int

    @property
    def phone(self) -> str:
        """The customer's, with 55 and the area in front."""
        return f"5542{900_000_000 + self.number * 7919 % 99_999_989:09d}"

    @property
    def cpf(self) -> str:
        """Eleven digits."""
        return f"{self.number * 104_729 % 99_999_999_977:011d}"

    @property
    def call(self) -> str:
        """3C Plus' number of the call."""
        return f"TEL{self.number:010d}"

    @property
    def client(self) -> str:
        """The customer's name."""
        return f"Cliente {self.number}"

    @property
    def agent(self) -> str:
        """The agent's number."""
        return str(7000 + self.number % AGENTS)

    @property
    def agent_name(self) -> str:
        """The agent's name."""
        return f"Agente {self.number % AGENTS}"


class Template:
    """A sample of the catalogue, as it is stored, with room for what changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        packet = json.dumps([name, CATALOG[name].sample], ensure_ascii=False, separators=(",", ":"))
        event = payload.read(packet, hide_credentials=True)
        self._payload = _parts(event.payload)
        self._order_key = _parts(event.order_key)

    def filled(self, call: Call) -> tuple[str, str]:
        """The payload and the ordering key of such an event of this call."""
        return _filled(self._payload, call), _filled(self._order_key, call)


def templates() -> list[Template]:
    """A hundred templates, each as often as such events come; the rest of the names are rare."""
    often = {**_OF_CALLS, **_OF_AGENTS}
    made = [Template(name) for name, times in often.items() for _ in range(times)]
    rare = [name for name in CATALOG if name not in often][: 100 - len(made)]
    return made + [Template(name) for name in rare]


def _parts(text: str) -> list[tuple[str, str]]:
    """The text cut into pieces: what stays, and the name of what comes after it."""
    parts, end = [], 0
    for found in _CHANGING.finditer(text):
        parts.append((text[end : found.start()], found.lastgroup or ""))
        end = found.end()
    return [*parts, (text[end:], "")]


def _filled(parts: list[tuple[str, str]], call: Call) -> str:
    return "".join(stays + (getattr(call, changes) if changes else "") for stays, changes in parts)
