"""What applying a file changes, in words without secrets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from webhookproxy.network.guard import masked_url
from webhookproxy.rules import ADDRESSES, SECRETS

_SHORT = (str, int, float, type(None))


class Kind(StrEnum):
    """What happens to one entry, by the sign before its line."""

    NEW = "+"
    CHANGED = "~"
    DELETED = "-"
    # Its key is not in the file any more, and it was not to be deleted.
    LEFT = "?"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry: `where` is its key ("acme/crm" for a webhook), `number` its row's number."""

    kind: Kind
    subject: str
    where: str
    number: int
    details: tuple[str, ...] = ()

    @property
    def public_id(self) -> str:
        """Return the id that pages and commands use."""
        return f"{self.subject}_{self.number}"


def changed_fields(before: Any, after: Any) -> tuple[str, ...]:
    """Return what differs between two inputs of one kind, a phrase for each field."""
    found = []
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            found.append(_phrase(field.name, old, new))
    return tuple(found)


def _phrase(name: str, old: Any, new: Any) -> str:
    if name in SECRETS:
        return f"{name} {'set' if new else 'cleared'}"
    if name in ADDRESSES:
        shown, now = (masked_url(each) if each else "none" for each in (old, new))
        return f"{name} {shown} -> {now}" if shown != now else name
    if name == "events":
        return f"events {_count(old)} -> {_count(new)}"
    if isinstance(old, _SHORT) and isinstance(new, _SHORT):
        return f"{name} {_short(old)} -> {_short(new)}"
    return name


def _short(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)


def _count(events: tuple[str, ...] | None) -> str:
    return "all" if events is None else str(len(events))
