"""Whose a token is, as 3C Plus says it: what can be recognised, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhookproxy.events.recovery.histories import usable_id

TEXT_MAX = 120
_ROLES = {
    "gestor": "gestor",
    "manager": "gestor",
    "admin": "gestor",
    "supervisor": "supervisor",
    "agente": "agente",
    "agent": "agente",
}


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Who a token is; what is not known is empty. `role` is one of ours, or as it came."""

    name: str = ""
    role: str = ""
    company_id: str = ""
    company: str = ""


def token_owner(found: Mapping[str, Any]) -> TokenOwner:
    """Read an answer of `GET /me`: its fields are not published, so nothing in it is required."""
    company = found.get("company") or found.get("organization") or {}
    if not isinstance(company, Mapping):
        company = {"name": company}
    role = _text(found.get("role") or found.get("type") or found.get("profile"))
    return TokenOwner(
        name=_text(found.get("name")),
        role=_ROLES.get(role.lower(), role),
        company_id=usable_id(found.get("company_id", company.get("id"))),
        company=_text(company.get("name")),
    )


def _text(value: Any) -> str:
    """Return a text of an answer; of a thing with a name, its name."""
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("slug")
    if not isinstance(value, str) or not value.isprintable():
        return ""
    return value.strip()[:TEXT_MAX]
