from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from webhookproxy.declared.companies import COMPANY, declared_company, given_company
from webhookproxy.declared.webhooks import WEBHOOK, declared_webhook, given_webhook
from webhookproxy.declared.yaml_text import read_yaml, write_yaml
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.events.formats.definition import (
    Encoding,
    Format,
    FormatKind,
    IfMissing,
    Kept,
    Less,
    Row,
    RowKind,
    RowStep,
    StepKind,
)
from webhookproxy.recipes.reading import recipes
from webhookproxy.rules import Problems
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

URL = "https://crm.example.com/hook"
FORMATS = [
    *(Format(kind) for kind in FormatKind if kind is not FormatKind.MAPPED),
    Format(encoding=Encoding.FORM),
    *(Format(less=Less(kept, ("a.b", "c[0]"), ("d",))) for kept in Kept if kept is not Kept.ALL),
    Format(less=Less(masked=("d",))),
    Format(
        FormatKind.MAPPED,
        Encoding.JSON,
        (
            *(Row(f"v{kind}", paths=("a", "b"), steps=(RowStep(kind),)) for kind in StepKind),
            Row("t", paths=("a",), steps=(RowStep(StepKind.TABLE, {"240055": "won"}, "no"),)),
            Row("u", paths=("a",), steps=(RowStep(StepKind.TABLE, {"1": "true"}),)),
            *(Row(f"m{each}", RowKind.CONSTANT, text="1.0", if_missing=each) for each in IfMissing),
            Row("x", RowKind.TEXT, text="{a}: não\n{b}"),
        ),
    ),
    *(recipe.sample().format for recipe in recipes().values()),
]
CONDITIONS = tuple(
    Condition("call.status", each, "" if each is Operator.EXISTS else "0.10") for each in Operator
)
WEBHOOKS = [
    WebhookInput("CRM", URL),
    *(WebhookInput("no", URL, format=each) for each in FORMATS),
    *(WebhookInput("~", URL, state=each) for each in WebhookState),
    WebhookInput("s", URL, success_rule=Condition("ok", Operator.EQUAL, "true")),
    WebhookInput("s", URL, success_rule=Condition("", Operator.LACKS, '"error"')),
    WebhookInput("s", URL, success_rule=Condition("a.b", Operator.EXISTS, "")),
    WebhookInput(
        "a: b #c",
        URL,
        events=("call-was-connected", "2026-12-31"),
        parallelism=1,
        timeout=2.5,
        rate_limit=0.1,
        max_age=168.0,
        takes_recovered=False,
        filters={"call-was-connected": CONDITIONS},
    ),
]


def test_everything_that_pages_and_commands_set_is_declared() -> None:
    assert set(WEBHOOK.fields) == {each.name for each in fields(WebhookInput)}
    renamed = {"token_expires_at": "token_expires"}
    names = {renamed.get(each.name, each.name) for each in fields(CompanyInput)}
    assert set(COMPANY.fields) == names


def through_yaml(declared: Any) -> Any:
    return read_yaml(write_yaml(declared))


@pytest.mark.parametrize("stored", WEBHOOKS, ids=range(len(WEBHOOKS)))
def test_a_webhook_is_read_as_it_was_written(stored: WebhookInput) -> None:
    problems = Problems()
    read = WEBHOOK.read(through_yaml(declared_webhook(stored)), "", problems)
    problems.raise_any()
    assert WebhookInput(**given_webhook(read)) == stored


def test_a_webhook_is_written_without_its_secrets_and_without_defaults() -> None:
    stored = WebhookInput("CRM", URL, authorization="canary-a", secret="canary-s")
    stored = replace(stored, headers=(("X-Api-Key", "canary-h"),))
    assert declared_webhook(stored) == {"name": "CRM", "url": URL}


@pytest.mark.parametrize(
    "stored",
    [
        CompanyInput("Acme", "canary-token", "https://socket.example.com/"),
        CompanyInput(
            "Acme",
            "canary-token",
            "https://socket.example.com/",
            threec_id="0012",
            agent_id="7",
            timezone="America/Manaus",
            hide_credentials=False,
            retention_days=7,
            recover_calls=False,
            sweep_calls=True,
            rest_url="https://acme.3c.plus/api/v1",
            token_expires_at=datetime(2027, 1, 31, tzinfo=ZoneInfo("America/Sao_Paulo")),
        ),
    ],
)
def test_a_company_is_read_as_it_was_written_but_for_its_token(stored: CompanyInput) -> None:
    problems = Problems()
    declared = through_yaml(declared_company(stored))
    assert "token" not in declared
    read = COMPANY.read(declared, "", problems)
    problems.raise_any()
    assert CompanyInput(token=stored.token, **given_company(read, 90)) == stored
