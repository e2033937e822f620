"""The secrets of a webhook: they stay with their address, and must have a form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.formats.definition import Format, FormatKind
from webhookproxy.network.guard import Policy
from webhookproxy.rules import Refused, keeps_secrets
from webhookproxy.rules.companies import CompanyInput, changed_company
from webhookproxy.rules.filters import Checked
from webhookproxy.rules.webhooks import (
    WebhookInput,
    changed_webhook,
    check_secret,
    check_webhook,
)

WEBHOOK = WebhookInput("CRM", "https://crm.example/hook", authorization="a", secret="s")
COMPANY = CompanyInput("Empresa", "token", "https://socket.example")
ELSEWHERE, SOCKET_ELSEWHERE = "https://evil.example/hook", "https://evil.example"
POLICY = Policy(allow_private=False, allow_http=False)


@pytest.mark.parametrize(
    ("given", "english", "portuguese"),
    [
        ({}, "the authorization (--auth) and the secret (--secret)", "a autorização e o segredo"),
        ({"secret": "s"}, "(--auth) again", "a autorização"),
        ({"authorization": ""}, "(--secret) again", "o segredo"),
        ({"authorization": "a", "name": "ERP"}, "(--secret) again", "o segredo"),
    ],
)
def test_a_new_host_demands_every_secret_that_is_set(
    given: dict[str, Any], english: str, portuguese: str
) -> None:
    with pytest.raises(Refused) as refused:
        changed_webhook(WEBHOOK, {"url": ELSEWHERE, **given}, POLICY, same_path=False)
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
    changed = changed_webhook(WEBHOOK, given, POLICY, same_path=False)
    assert all(getattr(changed, name) == value for name, value in given.items())


def test_a_new_socket_host_demands_the_token() -> None:
    with pytest.raises(Refused) as refused:
        changed_company(COMPANY, {"socket_url": SOCKET_ELSEWHERE, "name": "Outra"}, POLICY)
    (problem,) = refused.value.problems
    assert problem.field == "token"
    assert "--token" in problem.english
    assert "token" in problem.portuguese
    given = {"socket_url": SOCKET_ELSEWHERE, "token": "token"}
    assert changed_company(COMPANY, given, POLICY).socket_url == SOCKET_ELSEWHERE
    assert (
        changed_company(COMPANY, {"socket_url": "https://socket.example/x"}, POLICY).token
        == "token"
    )


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (ELSEWHERE, ["url", "name", "parallelism", "timeout"]),
        # What is no URL leads nowhere, so it asks for no secret.
        ("crm.example/hook", ["name", "url", "parallelism", "timeout"]),
    ],
)
def test_a_new_url_hides_no_other_mistake(url: str, fields: list[str]) -> None:
    given = {"url": url, "name": " ", "parallelism": 0, "timeout": 900.0}
    with pytest.raises(Refused) as refused:
        changed_webhook(WEBHOOK, given, POLICY, same_path=False)
    assert [problem.field for problem in refused.value.problems] == fields
    company = {"socket_url": url.removesuffix("/hook"), "name": " ", "timezone": "Nowhere"}
    with pytest.raises(Refused) as refused:
        changed_company(COMPANY, company, POLICY)
    found = [problem.field for problem in refused.value.problems]
    first = ["token"] if url == ELSEWHERE else []
    last = [] if url == ELSEWHERE else ["socket_url"]
    assert found == [*first, "name", "timezone", *last]


def test_a_bad_filter_hides_no_mistake_in_the_format() -> None:
    filters: Checked = {"agent-is-idle": (Condition("call..status", Operator.EXISTS),)}
    given = replace(WEBHOOK, filters=filters, format=Format(FormatKind.MAPPED))
    with pytest.raises(Refused) as refused:
        check_webhook(given, POLICY)
    assert [problem.field for problem in refused.value.problems] == ["filters", "format"]


STORED = "https://hooks.zapier.example/hooks/catch/111/aaa"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.zapier.example/hooks/catch/111/aaa",
        "https://hooks.zapier.example:8443/hooks/catch/111/aaa",
        "https://zapier.example/hooks/catch/111/aaa",
        "https://hooks.zapier.example.evil.example/",
        "https://hooks.zapier.example@evil.example/hooks/catch/111/aaa",
        "hooks.zapier.example",
        "https://[",
        "https:\\\\hooks.zapier.example",
        "",
    ],
)
def test_a_secret_never_goes_to_another_origin(url: str) -> None:
    assert not keeps_secrets(STORED, url, same_path=False)
    assert not keeps_secrets(url, STORED, same_path=False)
    with pytest.raises(Refused):
        changed_company(COMPANY, {"socket_url": url}, POLICY)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.zapier.example/hooks/catch/999/attacker",
        "https://hooks.zapier.example/hooks/catch/111/aaa/",
        "https://hooks.zapier.example/hooks/catch/111/aaa?to=other",
    ],
)
def test_another_path_asks_an_operator_for_the_secrets_again(url: str) -> None:
    stored = replace(WEBHOOK, url=STORED)
    assert changed_webhook(stored, {"url": url}, POLICY, same_path=False).secret == "s"
    with pytest.raises(Refused):
        changed_webhook(stored, {"url": url}, POLICY, same_path=True)


@pytest.mark.parametrize(
    "url",
    [
        STORED,
        f"  {STORED} ",
        STORED.replace("hooks.zapier", "HOOKS.Zapier"),
        STORED.replace(".example/", ".example:443/"),
    ],
)
def test_the_same_address_in_another_spelling_keeps_the_secrets(url: str) -> None:
    assert keeps_secrets(STORED, url, same_path=True)


@pytest.mark.parametrize("rest", ["", "not base64!", "A" * 31, "A" * 28, "A" * 92, "-_" * 16])
def test_a_secret_that_looks_like_a_librarys_and_is_none_is_refused(rest: str) -> None:
    secret = f"whsec_{rest}"
    with pytest.raises(Refused) as refused:
        check_webhook(replace(WEBHOOK, secret=secret), Policy())
    (problem,) = refused.value.problems
    assert problem.field == "secret"
    assert problem.english.startswith("After whsec_ a secret has Base64 of 24 to 64 bytes")
    assert problem.portuguese.startswith("Depois de whsec_ vem Base64 de 24 a 64 bytes")
    with pytest.raises(Refused):
        check_secret(secret)


def test_a_secret_in_the_form_of_the_libraries_is_taken_as_typed() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert check_webhook(replace(WEBHOOK, secret=secret), Policy()).secret == secret
    check_secret(secret)
