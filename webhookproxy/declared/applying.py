"""Brings the companies and webhooks of the database to what a file declares.

The file says everything of what it names: a field that it leaves out has its default. Three things
stay as they are until the file says otherwise: a secret, the state of a webhook, and whether a
company is connected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload

from webhookproxy.declared.changes import Change, Kind, changed_fields
from webhookproxy.declared.files import Declared, DeclaredCompany, take_below
from webhookproxy.models.audit import (
    Action,
    Actor,
    record_company,
    record_company_edit,
    record_webhook,
    record_webhook_edit,
)
from webhookproxy.models.companies import Company, create_company, edit_company
from webhookproxy.models.webhooks import Webhook, create_webhook, delete_webhook, edit_webhook
from webhookproxy.network.guard import Policy, masked_url
from webhookproxy.rules import SECRETS, Problem, Problems, Refused
from webhookproxy.rules.companies import CompanyInput, changed_company, check_company
from webhookproxy.rules.webhooks import WebhookInput, changed_webhook, check_webhook

R = TypeVar("R", Company, Webhook)

# Two files at once are applied one after the other. SQLite has one writer at a time anyway.
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_LOCK_KEY = 0x3C8_0000
_TAKEN, _RELEASED = "file_key", "file_key_released"
# What the file leaves as it is, if it does not name it.
_STAYS = ("name", "url", *SECRETS, "state")


@dataclass(frozen=True, slots=True)
class Terms:
    """What applies to every entry: who does it, which addresses are allowed, the usual server."""

    actor: Actor
    policy: Policy
    socket_url: str


def apply(
    session: Session,
    companies: Mapping[str, DeclaredCompany],
    terms: Terms,
    delete: Collection[int] = (),
) -> list[Change]:
    """Create and change what the file says; return what changed. Raises Refused with all problems.

    A webhook that a file managed, and that is no longer in it, is deleted only if its number is
    in `delete`. After Refused the transaction must be undone.
    """
    if session.connection().dialect.name == "postgresql":
        session.execute(_LOCK, {"key": _LOCK_KEY})
    query = select(Company).where(Company.deleted_at.is_(None)).order_by(Company.id)
    rows = list(session.scalars(query))
    application = _Application(session, terms)
    for key, declared in companies.items():
        company = application.apply_company(_find(rows, key, declared), key, declared)
        application.apply_webhooks(company, key, declared, delete)
    application.problems.raise_any()
    return application.changes


def _find(rows: Iterable[R], key: str, declared: Declared) -> R | None:
    """Return the row of an entry, or None: by its key, else a row of that name without a key.

    A file that was written for what was there already means these rows; the oldest of several.
    """
    unmanaged = None
    for row in rows:
        if row.file_key == key:
            return row
        is_named = row.file_key is None and row.name == declared.given.get("name")
        if is_named and unmanaged is None:
            unmanaged = row
    return unmanaged


def release(session: Session, where: str, actor: Actor) -> int:
    """Have no file manage what `where` names any more; return how many rows that were.

    It is the key of a company, with all its webhooks, or that of a webhook, like "acme/crm".
    Raises Refused if there is no such row.
    """
    key, _, name = where.partition("/")
    alive = select(Company).where(Company.file_key == key, Company.deleted_at.is_(None))
    company = session.scalar(alive)
    rows: list[Company | Webhook] = []
    if company is not None:
        managed = select(Webhook).where(
            *(Webhook.company_id == company.id, Webhook.deleted_at.is_(None)),
            Webhook.file_key == name if name else Webhook.file_key.is_not(None),
        )
        rows = [*([] if name else [company]), *session.scalars(managed)]
    if not rows:
        raise Refused.one(
            "key",
            f"No file manages {where[:140]}: `flask config export` shows the keys.",
            f"Nenhum arquivo gere {where[:140]}.",
        )
    for row in rows:
        row.file_key = None
        if isinstance(row, Company):
            record_company(session, actor, Action.COMPANY_CHANGED, row.id, _RELEASED)
        else:
            record_webhook(
                session, actor, Action.WEBHOOK_CHANGED, row.company_id, row.id, _RELEASED
            )
    return len(rows)


class _Application:
    """One file that is being applied, with what it changed and what is wrong with it."""

    def __init__(self, session: Session, terms: Terms) -> None:
        self.problems = Problems()
        self.changes: list[Change] = []
        self._session = session
        self._terms = terms

    def apply_company(
        self, company: Company | None, key: str, declared: DeclaredCompany
    ) -> Company | None:
        """Create or change a company; return it, or None if it is a new one with problems."""
        try:
            if company is None:
                return self._create_company(key, declared)
            self._change_company(company, key, declared)
        except Refused as refused:
            take_below(declared.path, refused, self.problems)
        return company

    def _create_company(self, key: str, declared: DeclaredCompany) -> Company:
        _refuse_kept(declared.kept)
        given = {"token": "", "socket_url": self._terms.socket_url, **declared.given}
        company = create_company(self._session, CompanyInput(**given), self._terms.policy)
        company.file_key = key
        self._session.flush()
        record_company(self._session, self._terms.actor, Action.COMPANY_CREATED, company.id)
        self.changes.append(Change(Kind.NEW, "company", key, company.id))
        return company

    def _change_company(self, company: Company, key: str, declared: DeclaredCompany) -> None:
        before, actor = company.input(), self._terms.actor
        _refuse_kept([name for name in declared.kept if getattr(before, name) is None])
        usual = CompanyInput("", "", self._terms.socket_url)
        given = _complete(usual, declared.given)
        changed = changed_company(before, given, self._terms.policy)
        # A new token does not make the file's own day invalid.
        changed = replace(changed, token_expires_at=given["token_expires_at"])
        wanted = check_company(changed, self._terms.policy)
        is_taken = self._take(company, key)
        if wanted != before:
            edit_company(self._session, company, wanted, self._terms.policy)
            record_company_edit(self._session, actor, before, company)
        self._note("company", key, company.id, is_taken, changed_fields(before, wanted))
        if is_taken:
            record_company(self._session, actor, Action.COMPANY_CHANGED, company.id, _TAKEN)

    def apply_webhooks(
        self,
        company: Company | None,
        key: str,
        declared: DeclaredCompany,
        delete: Collection[int],
    ) -> None:
        """Create and change the webhooks of a company, and delete those that are to be deleted."""
        rows = [] if company is None else self._webhooks(company.id)
        for name, each in declared.webhooks.items():
            try:
                if company is None:
                    # It cannot be created now, but its mistakes can be told.
                    check_webhook(_new_webhook(each), self._terms.policy)
                    continue
                where, webhook = f"{key}/{name}", _find(rows, name, each)
                if webhook is None:
                    self._create_webhook(company.id, name, where, each)
                else:
                    self._change_webhook(webhook, name, where, each)
            except Refused as refused:
                take_below(each.path, refused, self.problems)
        for row in rows:
            if row.file_key is not None and row.file_key not in declared.webhooks:
                self._leave(row, f"{key}/{row.file_key}", delete)

    def _webhooks(self, company_id: int) -> list[Webhook]:
        query = (
            select(Webhook)
            .where(Webhook.company_id == company_id, Webhook.deleted_at.is_(None))
            .options(joinedload(Webhook.health))
            .order_by(Webhook.id)
        )
        return list(self._session.scalars(query))

    def _create_webhook(self, company_id: int, key: str, where: str, declared: Declared) -> None:
        _refuse_kept(declared.kept)
        given = _new_webhook(declared)
        webhook = create_webhook(self._session, company_id, given, self._terms.policy, key)
        self._record(Action.WEBHOOK_CREATED, webhook)
        shown = (masked_url(webhook.url),)
        self.changes.append(Change(Kind.NEW, "webhook", where, webhook.id, shown))

    def _change_webhook(self, webhook: Webhook, key: str, where: str, declared: Declared) -> None:
        before, policy = webhook.input(), self._terms.policy
        _refuse_kept([name for name in declared.kept if getattr(before, name) is None])
        given = _complete(WebhookInput("", ""), declared.given)
        wanted = check_webhook(changed_webhook(before, given, policy, same_path=False), policy)
        is_taken = self._take(webhook, key)
        if wanted != before:
            edit_webhook(self._session, webhook, wanted, policy)
            record_webhook_edit(self._session, self._terms.actor, before, webhook)
        self._note("webhook", where, webhook.id, is_taken, changed_fields(before, wanted))
        if is_taken:
            self._record(Action.WEBHOOK_CHANGED, webhook, _TAKEN)

    def _leave(self, webhook: Webhook, where: str, delete: Collection[int]) -> None:
        kind = Kind.LEFT
        if webhook.id in delete:
            kind = Kind.DELETED
            delete_webhook(self._session, webhook)
            self._record(Action.WEBHOOK_DELETED, webhook)
        self.changes.append(Change(kind, "webhook", where, webhook.id))

    def _take(self, row: Company | Webhook, key: str) -> bool:
        """Have the file manage a row; return whether it does only from now on."""
        is_new = row.file_key is None
        if is_new:
            row.file_key = key
            self._session.flush()
        return is_new

    def _note(
        self, subject: str, where: str, number: int, is_taken: bool, details: tuple[str, ...]
    ) -> None:
        taken = ("managed by this file from now on",) if is_taken else ()
        if taken or details:
            change = Change(Kind.CHANGED, subject, where, number, (*taken, *details))
            self.changes.append(change)

    def _record(self, action: Action, webhook: Webhook, detail: str = "") -> None:
        about = (action, webhook.company_id, webhook.id, detail)
        record_webhook(self._session, self._terms.actor, *about)


def _new_webhook(declared: Declared) -> WebhookInput:
    return WebhookInput(**{"url": "", **declared.given})


def _complete(usual: CompanyInput | WebhookInput, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given fields, and the usual values of those that do not stay as they are."""
    names = [field.name for field in fields(usual) if field.name not in _STAYS]
    return {name: getattr(usual, name) for name in names} | dict(given)


def _refuse_kept(names: Iterable[str]) -> None:
    """Raise Refused if a secret is to stay that is not stored."""
    problems = [
        Problem(
            name,
            "Nothing is stored here yet: write the value, or a reference such as "
            "env:WEBHOOKPROXY_SECRET_CRM.",
            "Ainda não há nada guardado aqui: escreva o valor, ou uma referência como "
            "env:WEBHOOKPROXY_SECRET_CRM.",
        )
        for name in names
    ]
    if problems:
        raise Refused(problems)
