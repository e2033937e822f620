"""What a change may keep: secrets stay with the host they were given to."""

from __future__ import annotations

from typing import Any

import pytest

from webhookproxy.rules import Refused, same_host
from webhookproxy.rules.companies import CompanyInput, changed_company
from webhookproxy.rules.webhooks import WebhookInput, changed_webhook

WEBHOOK = WebhookInput("CRM", "https://crm.example/hook", authorization="a", secret="s")
COMPANY = CompanyInput("Empresa", "token", "https://socket.example")
ELSEWHERE = "https://evil.example/hook"


@pytest.mark.parametrize(
    ("given", "english", "portuguese"),
    [
        ({}, "--auth and --secret", "a autorização e o segredo"),
        ({"secret": "s"}, "give --auth again", "a autorização"),
        ({"authorization": ""}, "give --secret again", "o segredo"),
        ({"authorization": "a", "name": "ERP"}, "give --secret again", "o segredo"),
    ],
)
def test_a_new_host_demands_every_secret_that_is_set(
    given: dict[str, Any], english: str, portuguese: str
) -> None:
    with pytest.raises(Refused) as refused:
        changed_webhook(WEBHOOK, {"url": ELSEWHERE, **given})
    (problem,) = refused.value.problems
    assert problem.field == "url"
    assert english in problem.english
    assert portuguese in problem.portuguese


@pytest.mark.parametrize(
    "given",
    [
        {"url": ELSEWHERE, "authorization": None, "secret": "s"},
        {"url": "https://CRM.example/other"},
        {"name": "ERP"},
    ],
)
def test_what_is_given_again_or_stays_with_its_host_is_taken(given: dict[str, Any]) -> None:
    changed = changed_webhook(WEBHOOK, given)
    assert all(getattr(changed, name) == value for name, value in given.items())


def test_a_new_socket_host_demands_the_token() -> None:
    with pytest.raises(Refused) as refused:
        changed_company(COMPANY, {"socket_url": ELSEWHERE, "name": "Outra"})
    (problem,) = refused.value.problems
    assert problem.field == "token"
    assert "--token" in problem.english
    assert "token" in problem.portuguese
    given = {"socket_url": ELSEWHERE, "token": "token"}
    assert changed_company(COMPANY, given).socket_url == ELSEWHERE
    assert changed_company(COMPANY, {"socket_url": "https://socket.example/x"}).token == "token"


@pytest.mark.parametrize("odd", ["", "crm.example", "https://[", "https:\\\\crm.example"])
def test_what_is_no_address_is_nobodys_host(odd: str) -> None:
    assert not same_host(odd, "https://crm.example")
    assert not same_host(odd, odd)
