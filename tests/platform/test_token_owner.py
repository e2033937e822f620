"""Whose a token is, from an answer whose fields are not published."""

from __future__ import annotations

from typing import Any

import pytest

from webhookproxy.platform.token_owner import TokenOwner, token_owner

ANSWERS: dict[str, tuple[dict[str, Any], TokenOwner]] = {
    "a manager": (
        {"name": "Integração", "role": "gestor", "company": {"id": 42, "name": "Acme"}},
        TokenOwner("Integração", "gestor", "42", "Acme"),
    ),
    "another word, and a role with a name": (
        {"name": "A", "role": {"name": "Agent"}, "company_id": "7"},
        TokenOwner("A", "agente", "7", ""),
    ),
    "an unknown role": ({"role": "auditor"}, TokenOwner("", "auditor", "", "")),
    "odd things": (
        {"name": 7, "role": ["x"], "company": "Acme", "company_id": {}},
        TokenOwner("", "", "", "Acme"),
    ),
    "nothing": ({}, TokenOwner()),
}


@pytest.mark.parametrize(("answer", "owner"), ANSWERS.values(), ids=ANSWERS)
def test_what_can_be_recognised_is_shown(answer: dict[str, Any], owner: TokenOwner) -> None:
    assert token_owner(answer) == owner
