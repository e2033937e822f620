"""The catalogue of 3C Plus events: names, samples, ordering keys; and the credentials' keys.

The catalogue only suggests: any name that the server sends is accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any

MAX_NAME_LENGTH = 200
MAX_KEY_LENGTH = 100

# The first nine were seen in real 3C Plus payloads; the others are usual names of credentials.
CREDENTIAL_KEYS: frozenset[str] = frozenset(
    {
        "api_token",
        "extension_password",
        "two_factor_secret",
        "confirmation_code",
        "token",
        "waba_token",
        "z_api_token",
        "page_token",
        "socket_channel",
        "password",
        "secret",
        "authorization",
        "api_key",
        "access_token",
    }
)


@dataclass(frozen=True, slots=True)
class CatalogEvent:
    """One event name that 3C Plus is known, or said, to send.

    `category`, `description` and `evidence` are Portuguese; `documented` is false for names never
    confirmed by 3C Plus; `sample` is synthetic; `typical_bytes` is the size as compact JSON.
    """

    name: str
    category: str
    description: str
    documented: bool
    evidence: str
    order_paths: tuple[str, ...]
    sample: Any
    typical_bytes: int


def _load() -> Mapping[str, CatalogEvent]:
    text = files("webhookproxy.events").joinpath("catalog.json").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            name: CatalogEvent(
                name=name,
                category=row["category"],
                description=row["description_pt"],
                documented=row["documented"],
                evidence=row["evidence"],
                order_paths=tuple(row["order_keys"]),
                sample=row["sample"],
                typical_bytes=row["typical_bytes"],
            )
            for name, row in json.loads(text).items()
        }
    )


CATALOG: Mapping[str, CatalogEvent] = _load()
# What nearly every CRM asks for: the call began, an agent talks to the customer, how it ended.
USUAL = ("call-was-created", "call-was-connected", "call-history-was-created")

_WHOLE_COMPANY = ""

# The kind of thing that a path names. Paths to the same thing must give the same key, or its events
# could overtake each other: an agent is a user of 3C Plus (`agent.id` equals `user.id`, `spied.id`
# and `agent_status.user_id`), and a `mailingList` is a `list`.
_ENTITY: Mapping[str, str] = {
    "call.telephony_id": "call",
    "call.id": "call",
    "callHistory.telephony_id": "call",
    "callHistory._id": "callhistory",
    "agent.id": "agent",
    "agent_id": "agent",
    "user.id": "agent",
    "spied.id": "agent",
    "spy.id": "agent",
    "chat.id": "chat",
    "message.chat_id": "chat",
    "data.chat.id": "chat",
    "chat.protocol.protocol_number": "protocol",
    "message.id": "message",
    "list.id": "list",
    "mailingList.id": "list",
    "mailingList.campaign_id": "campaign",
    "company.id": _WHOLE_COMPANY,
}


def _usable(value: object) -> str:
    """Return the value as text, or "" if it cannot name anything."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        # Python refuses to write integers of more than 4,300 digits in decimal.
        return str(value) if value.bit_length() < 512 else hex(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return ""


def _value_at(payload: Mapping[str, object], parts: tuple[str, ...]) -> str:
    node: object = payload
    for part in parts:
        if not isinstance(node, dict):
            return ""
        node = node.get(part)
    return _usable(node)


def _key(entity: str, value: str) -> str:
    key = f"{entity}:{value}"
    if len(key) <= MAX_KEY_LENGTH and key.isprintable():
        return key
    # Control characters and lone surrogates cannot be stored, so they are treated like long keys.
    return f"{entity}:#{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"


_Rule = Callable[[Mapping[str, object]], str | None]


def _rule(path: str) -> _Rule:
    """Return a function that gives the key at `path`, or None if the payload has none there."""
    entity = _ENTITY[path]
    parts = tuple(path.split("."))

    def apply(payload: Mapping[str, object]) -> str | None:
        value = _value_at(payload, parts)
        if path == "call.id":
            # call:{company}:{campaign}:{telephony_id}
            value = value.rpartition(":")[2]
        if not value:
            return None
        return _key(entity, value) if entity else _WHOLE_COMPANY

    return apply


_FIRST = tuple(map(_rule, ("call.telephony_id", "callHistory.telephony_id")))
_LAST = tuple(map(_rule, ("agent.id", "agent_id", "user.id", "chat.id")))
_UNLISTED: tuple[_Rule, ...] = (*_FIRST, *_LAST)
_RULES: Mapping[str, tuple[_Rule, ...]] = {
    event.name: (*_FIRST, *map(_rule, event.order_paths), *_LAST) for event in CATALOG.values()
}


def order_key(name: str, payload: object) -> str:
    """Return the key of the event's order of delivery: "call:TEL0000001", "agent:7007".

    Looked for in this order: the call's telephony_id, the call history's, the catalogue's paths
    for this name, then the agent, user or chat at the top level. Returns "" for the company as a
    whole. `payload` is parsed JSON. Never a search in depth: `agent.telephony_id` is a phone
    extension, not a call.
    """
    if not isinstance(payload, dict):
        return _WHOLE_COMPANY
    for rule in _RULES.get(name, _UNLISTED):
        key = rule(payload)
        if key is not None:
            return key
    return _WHOLE_COMPANY


def is_event_name(name: str) -> bool:
    """Return whether a typed name can be an event's.

    That is 1 to 200 printable characters without a space at either end. "*" is no name: it is typed
    for all events, which is the choice of none.
    """
    return 0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip() != "*"
