"""The file that declares companies and their webhooks, by keys of its writer's choosing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhookproxy.declared.companies import COMPANY, given_company
from webhookproxy.declared.companies import SECRETS as COMPANY_SECRETS
from webhookproxy.declared.groups import MapOf, Record
from webhookproxy.declared.references import Resolve
from webhookproxy.declared.shapes import Schema, Whole, below
from webhookproxy.declared.webhooks import SECRETS as WEBHOOK_SECRETS
from webhookproxy.declared.webhooks import WEBHOOK, given_webhook, in_places
from webhookproxy.declared.yaml_text import read_yaml
from webhookproxy.rules import Problems, Refused

VERSION = 1
KEY_MAX = 64
KEYS = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# In place of a secret: the one that the database has.
STORED = "stored"
FILE = Record(
    {
        "version": Whole("The version of this form.", only=VERSION),
        "companies": MapOf(
            Record(
                {
                    **COMPANY.fields,
                    "webhooks": MapOf(WEBHOOK, "The company's webhooks by their keys.", KEYS),
                }
            ),
            "The companies by their keys.",
            KEYS,
        ),
    },
    required=("version", "companies"),
)
# What may hold a secret, and so be a reference: the URL of Bitrix24, for example, has one.
_MAY_REFER = ("url", *COMPANY_SECRETS, *WEBHOOK_SECRETS)


@dataclass(frozen=True, slots=True)
class Declared:
    """One company or webhook: the fields that came, by the names of its input.

    `kept` names the secrets that the database must have.
    """

    path: str
    given: Mapping[str, Any]
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredCompany(Declared):
    """A company with its webhooks by their keys."""

    webhooks: Mapping[str, Declared] = field(default_factory=dict)


def read_file(text: str, resolve: Resolve, most_days: int) -> dict[str, DeclaredCompany]:
    """Return the companies that a file declares, by their keys. Raises Refused with all problems.

    `resolve` returns the secret that a text means; `most_days` is the setting RETENTION_DAYS.
    """
    problems = Problems()
    read = FILE.read(read_yaml(text), "", problems)
    # Fields that could not be read have no meaning for the next steps.
    problems.raise_any()
    found = {}
    for key, fields in read["companies"].items():
        path = below("companies", key)
        webhooks = {
            name: _declared(
                below(f"{path}/webhooks", name), name, each, given_webhook, resolve, problems
            )
            for name, each in fields.pop("webhooks", {}).items()
        }
        company = _declared(
            path, key, fields, lambda read: given_company(read, most_days), resolve, problems
        )
        found[key] = DeclaredCompany(company.path, company.given, company.kept, webhooks)
    problems.raise_any()
    return found


def file_schema() -> Schema:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "webhookproxy.yaml",
        **FILE.schema(),
    }


def _declared(
    path: str,
    key: str,
    read: dict[str, Any],
    give: Callable[[Mapping[str, Any]], dict[str, Any]],
    resolve: Resolve,
    problems: Problems,
) -> Declared:
    """Return one entry, with its secrets in place of their references."""
    kept = tuple(
        name
        for name in (*COMPANY_SECRETS, *WEBHOOK_SECRETS)
        if name in read and read[name] == STORED
    )
    fields = {"name": key} | {name: each for name, each in read.items() if name not in kept}
    given: dict[str, Any] = {}
    try:
        for name in _MAY_REFER:
            if isinstance(fields.get(name), str):
                fields[name] = _resolved(name, fields[name], resolve)
        if fields.get("headers"):
            # For the rules a blank value is the stored one.
            fields["headers"] = {
                name: "" if text == STORED else _resolved(below("headers", name), text, resolve)
                for name, text in fields["headers"].items()
            }
        given = give(fields)
    except Refused as refused:
        take_below(path, refused, problems)
    return Declared(path, given, kept)


def _resolved(name: str, text: str, resolve: Resolve) -> str:
    try:
        return resolve(text)
    except Refused as refused:
        problem = refused.problems[0]
        raise Refused.one(name, problem.english, problem.portuguese) from None


def take_below(path: str, refused: Refused, problems: Problems) -> None:
    """Note the problems of an entry's fields, with their paths."""
    for each in in_places(refused).problems:
        problems.add(f"{path}/{each.field}", each.english, each.portuguese)
