"""Payloads as 3C Plus sends them, of invented calls: thousands a second, the same in each run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from webhookproxy.events import payload
from webhookproxy.events.catalog import CATALOG

AGENTS = 300
# How often each event comes, of a hundred: those of a call, and those of its agent.
_OF_CALLS = {
    "call-was-created": 18,
    "call-was-connected": 12,
    "call-was-answered": 12,
    "call-was-finished": 12,
    "call-history-was-created": 10,
}
_OF_AGENTS = {"agent-is-idle": 18, "agent-in-acw": 8, "agent-was-logged-out": 1}
# The values of a sample that change from call to call.
_CHANGING = re.compile(
    r"(?P<phone>554190000\d{4})|(?P<call>TEL\d{7})|(?P<client>Cliente \d+)"
    r"|(?P<cpf>CLI-\d+)|(?P<agent_name>Agente 7)|(?P<agent>\b7007\b)"
)


@dataclass(frozen=True, slots=True)
class Call:
    """The values that the events of one call share; all of them follow from its number."""

    number: int

    @property
    def phone(self) -> str:
        """Return the customer's telephone, with 55 and the area code."""
        return f"5542{900_000_000 + self.number * 7919 % 99_999_989:09d}"

    @property
    def cpf(self) -> str:
        """Return eleven digits."""
        return f"{self.number * 104_729 % 99_999_999_977:011d}"

    @property
    def call(self) -> str:
        """Return 3C Plus' number of the call."""
        return f"TEL{self.number:010d}"

    @property
    def client(self) -> str:
        """Return the customer's name."""
        return f"Cliente {self.number}"

    @property
    def agent(self) -> str:
        """Return the agent's number."""
        return str(7000 + self.number % AGENTS)

    @property
    def agent_name(self) -> str:
        """Return the agent's name."""
        return f"Agente {self.number % AGENTS}"


class Template:
    """A sample of the catalogue, as it is stored, with gaps for the values that change."""

    def __init__(self, name: str) -> None:
        self.name = name
        packet = json.dumps([name, CATALOG[name].sample], ensure_ascii=False, separators=(",", ":"))
        event = payload.read(packet, hide_credentials=True)
        self._payload = _parts(event.payload)
        self._order_key = _parts(event.order_key)

    def filled(self, call: Call) -> tuple[str, str]:
        """Return the payload and the ordering key of this event of a call."""
        return _filled(self._payload, call), _filled(self._order_key, call)


def templates() -> list[Template]:
    """Return a hundred templates, each as often as its event comes; the other names are rare."""
    often = {**_OF_CALLS, **_OF_AGENTS}
    made = [Template(name) for name, times in often.items() for _ in range(times)]
    rare = [name for name in CATALOG if name not in often][: 100 - len(made)]
    return made + [Template(name) for name in rare]


def _parts(text: str) -> list[tuple[str, str]]:
    """Cut the text into pieces: a fixed part, and the name of the value that follows it."""
    parts, end = [], 0
    for found in _CHANGING.finditer(text):
        parts.append((text[end : found.start()], found.lastgroup or ""))
        end = found.end()
    return [*parts, (text[end:], "")]


def _filled(parts: list[tuple[str, str]], call: Call) -> str:
    return "".join(stays + (getattr(call, changes) if changes else "") for stays, changes in parts)
