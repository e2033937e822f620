"""Who asks: the user of the request's token, with the rights that both have now.

A token comes in the header `Authorization: Bearer whp_…` and nowhere else; a login's cookie is
never looked at. Each operation names the scope that it needs (see operations), and looks rows up
with the functions here, which answer 404 to what the caller may not see.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Response, current_app, g, request
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer, joinedload

from webhookproxy.api.shared import rates
from webhookproxy.api.shared.problems import PREFIX, ApiProblem, asks_api
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.extensions import db
from webhookproxy.models import Company, Delivery, Event, Grant, User, Webhook
from webhookproxy.models.accounts.api_tokens import (
    ApiToken,
    Scope,
    api_token_of,
    note_use,
    rights_of,
)
from webhookproxy.models.accounts.people import granted_companies
from webhookproxy.models.audit import Actor
from webhookproxy.models.companies import tokens_later
from webhookproxy.models.webhooks import secrets_later

# What tells of the API itself, and of nothing in it.
PUBLIC = (f"{PREFIX}/openapi.json",)


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a token, and the token's limits; `only` None means all their companies."""

    user_id: int
    email: str
    is_admin: bool
    token_id: int
    rights: frozenset[Scope]
    only: frozenset[int] | None

    @classmethod
    def of(cls, token: ApiToken, user: User) -> Caller:
        """Return the caller: what the user may do now, cut by what the token may."""
        only = None if token.company_ids is None else frozenset(token.company_ids)
        rights = rights_of(user) & token.chosen
        return cls(user.id, user.email, user.is_admin, token.id, rights, only)

    @property
    def sees_personal(self) -> bool:
        """Return whether personal data is answered as it is."""
        return Scope.PAYLOADS in self.rights

    @property
    def actor(self) -> Actor:
        """Return the user as the audit names them, with the token beside the address."""
        return Actor(self.user_id, self.email, f"{request.remote_addr or ''} token_{self.token_id}")

    def companies(self, session: Session) -> frozenset[int] | None:
        """Return the numbers of the companies it may see; None means all."""
        granted = None if self.is_admin else granted_companies(session, self.user_id)
        if self.only is None or granted is None:
            return self.only if granted is None else granted
        return granted & self.only

    def may(self, company_id: int, right: Scope = Scope.READ) -> bool:
        """Return whether it may see this company, and has this right there."""
        if right not in self.rights or (self.only is not None and company_id not in self.only):
            return False
        return self.is_admin or db.session.get(Grant, (self.user_id, company_id)) is not None


def caller() -> Caller:
    """Return who asks. Raises ApiProblem for a request without a token."""
    found: Caller | None = g.get("caller")
    if found is None:
        raise ApiProblem(401)
    return found


def require(right: Scope) -> None:
    """Raise ApiProblem if the caller does not have this right."""
    if right not in caller().rights:
        words = (
            f"Este token não tem o escopo {right}, ou o papel de quem o criou não o permite.",
            f"This token does not have the scope {right}, or its user's role does not allow it.",
        )
        raise ApiProblem(403, words=words)


def ask_again(right: Scope) -> None:
    """Look at the request's token again, for an answer that lasts. Raises ApiProblem."""
    found = _caller()
    if found is None:
        raise ApiProblem(401)
    g.caller = found
    require(right)


def init_app(app: Flask) -> None:
    """Ask every request to the API for its token, before anything else is read of it."""
    app.before_request(_authenticate)
    app.after_request(rates.say_what_is_left)


def _authenticate() -> Response | None:
    if not asks_api() or request.path in PUBLIC:
        return None
    try:
        found = _caller()
        if found is None:
            rates.count_stranger()
            raise ApiProblem(401)
        g.caller = found
        rates.count(found.token_id)
    except ApiProblem as problem:
        return problem.answer
    return None


def _caller() -> Caller | None:
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    found = api_token_of(db.session(), text.strip())
    if found is None:
        return None
    if found[0].use_is_due:
        _note_use(found[0].id)
    return Caller.of(*found)


def _note_use(token_id: int) -> None:
    store: Store = current_app.extensions["store"]
    try:
        store.session(lambda session: note_use(session, token_id))
    except StoreUnavailable:
        # Lists can be read while nothing can be written.
        return


def visible_companies() -> Select[Company]:
    """Return the query of the companies that the caller may see, the oldest first."""
    allowed = caller().companies(db.session())
    wanted = _companies().order_by(Company.id)
    return wanted if allowed is None else wanted.where(Company.id.in_(allowed))


def _companies() -> Select[Company]:
    # A token of 3C Plus is read only when it is asked for: that takes time.
    return (
        select(Company)
        .where(Company.deleted_at.is_(None))
        .options(joinedload(Company.connection), *tokens_later())
    )


def company_of(company_id: int) -> Company:
    """Return a company that the caller may see; raise ApiProblem (404) otherwise."""
    found = db.session.scalar(_companies().where(Company.id == company_id))
    if found is None or not caller().may(company_id):
        raise ApiProblem(404)
    return found


def webhook_of(webhook_id: int) -> Webhook:
    """Return a webhook of a company that the caller may see; raise ApiProblem (404) otherwise."""
    found = db.session.scalar(
        select(Webhook)
        .where(Webhook.id == webhook_id, Webhook.deleted_at.is_(None))
        .options(joinedload(Webhook.health), *secrets_later())
    )
    if found is None:
        raise ApiProblem(404)
    company_of(found.company_id)
    return found


def event_of(public_id: str) -> Event:
    """Return an event of a company that the caller may see; raise ApiProblem (404) otherwise."""
    query = select(Event).where(Event.public_id == public_id).options(defer(Event.payload))
    found = db.session.scalar(query)
    if found is None:
        raise ApiProblem(404)
    company_of(found.company_id)
    return found


def delivery_of(delivery_id: int) -> tuple[Delivery, Event]:
    """Return a delivery that the caller may see, with its event, or raise ApiProblem (404)."""
    found = db.session.get(Delivery, delivery_id)
    event = None if found is None else db.session.get(Event, found.event_id)
    if found is None or event is None:
        raise ApiProblem(404)
    webhook_of(found.webhook_id)
    return found, event
