"""Writes the companies and webhooks of the database as a file that declares them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.declared.companies import declared_company
from webhookproxy.declared.files import KEY_MAX, STORED, VERSION
from webhookproxy.declared.references import PREFIX
from webhookproxy.declared.webhooks import SECRETS, declared_webhook
from webhookproxy.models.companies import Company
from webhookproxy.models.webhooks import Webhook


def exported(session: Session, *, by_reference: bool) -> dict[str, Any]:
    """Return the whole file; a row that no file manages gets a key from its name.

    No secret is in it: in the place of one is that the stored one stays, or with `by_reference`
    the name of a variable.
    """
    query = select(Company).where(Company.deleted_at.is_(None)).order_by(Company.id)
    companies = list(session.scalars(query))
    webhooks: dict[int, list[Webhook]] = {company.id: [] for company in companies}
    alive = select(Webhook).where(Webhook.deleted_at.is_(None)).order_by(Webhook.id)
    for webhook in session.scalars(alive):
        # A deleted company's rows stay for a while.
        webhooks.get(webhook.company_id, []).append(webhook)
    found: dict[str, Any] = {}
    for key, company in _with_keys(companies).items():
        declared = declared_company(company.input())
        declared["token"] = _secret(by_reference, key, "token")
        if company.has_rest_token:
            declared["rest_token"] = _secret(by_reference, key, "rest_token")
        if webhooks[company.id]:
            declared["webhooks"] = {
                name: _webhook(webhook, f"{key}_{name}", by_reference=by_reference)
                for name, webhook in _with_keys(webhooks[company.id]).items()
            }
        found[key] = declared
    return {"version": VERSION, "companies": found}


def _webhook(webhook: Webhook, where: str, *, by_reference: bool) -> dict[str, Any]:
    stored = webhook.input()
    secrets = {
        name: _secret(by_reference, where, name)
        for name in SECRETS
        if getattr(stored, name) is not None
    }
    headers = {name: _secret(by_reference, f"{where}_header", name) for name, _ in stored.headers}
    return declared_webhook(stored) | secrets | ({"headers": headers} if headers else {})


def _secret(by_reference: bool, where: str, name: str) -> str:
    if not by_reference:
        return STORED
    return f"env:{PREFIX}{re.sub(r'[^A-Z0-9]', '_', f'{where}_{name}'.upper())}"


def _with_keys(rows: list[Any]) -> dict[str, Any]:
    """Return rows by the keys that they have, or get: no two have the same."""
    taken = {row.file_key for row in rows if row.file_key is not None}
    found = {}
    for row in rows:
        key = row.file_key
        if key is None:
            key = _free(row.name, taken)
            taken.add(key)
        found[key] = row
    return found


def _free(name: str, taken: Collection[str]) -> str:
    """Return a key made from a name, with a number at its end if it is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[: KEY_MAX - 6].strip("-") or "sem-nome"
    number, key = 1, base
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    return key
