"""Who is asking, and what they may see and do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import ParamSpec, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_login import UserMixin, current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import BaseConverter, ValidationError
from werkzeug.wrappers import Response

from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.extensions import db, login_manager
from webhookproxy.models import Company, Delivery, Event, Grant, Webhook
from webhookproxy.models.accounts.sign_ins import saw, signed_in
from webhookproxy.models.audit import Actor
from webhookproxy.web.connection import alarms
from webhookproxy.web.shared import drafts

P = ParamSpec("P")
R = TypeVar("R")

_PUBLIC = "is_public"
# What asks for nobody at all: monitors, and files that are not there.
_FOR_EVERYBODY = ("health.show", "static")


@dataclass(frozen=True, slots=True)
class Account(UserMixin):
    """Whoever is logged in, as this request sees them."""

    id: int
    email: str
    is_admin: bool
    key: str

    def get_id(self) -> str:
        """What the cookie holds: the key of this login, not the number of the user."""
        return self.key


class PublicId(BaseConverter):
    """`company_12` in an address, as the number 12; anything else is no such page."""

    regex = "[a-z]+_[1-9][0-9]{0,17}"
    kind = ""

    def to_python(self, value: str) -> int:
        """The number; ValidationError (404) for an id of another kind."""
        kind, _, number = value.partition("_")
        if kind != self.kind:
            raise ValidationError
        return int(number)

    def to_url(self, value: int) -> str:
        """The id with its kind."""
        return f"{self.kind}_{value}"


def public(view: Callable[P, R]) -> Callable[P, R]:
    """A page that needs no login."""
    setattr(view, _PUBLIC, True)
    return view


def administrators(view: Callable[P, R]) -> Callable[P, R]:
    """A page that only administrators have; for operators there is none."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not account().is_admin:
            abort(404)
        return view(*args, **kwargs)

    return guarded


def init_app(app: Flask) -> None:
    """Guard every page; the ids in addresses must be registered before the pages are."""
    for kind in ("company", "webhook", "delivery", "user", "resend"):
        app.url_map.converters[kind] = type(kind, (PublicId,), {"kind": kind})
    login_manager.session_protection = "basic"
    login_manager.user_loader(_load)
    app.before_request(_refuse_nul)
    app.before_request(_require_login)
    app.context_processor(lambda: {"account": g.get("account"), "alarms": alarms.current()})


def _load(key: str) -> Account | None:
    found = signed_in(db.session(), key)
    if found is None:
        return None
    user, stale = found
    if stale:
        _note_seen(key)
    return Account(user.id, user.email, user.is_admin, key)


def _note_seen(key: str) -> None:
    store: Store = current_app.extensions["store"]
    try:
        store.session(lambda writing: saw(writing, key))
    except StoreUnavailable:
        # Pages can be read while nothing can be written.
        return


def _refuse_nul() -> None:
    """Nobody types this character, and PostgreSQL fails on it wherever it is compared or stored."""
    values = chain(request.args.values(), request.form.values())
    if any("\0" in value for value in values):
        abort(400)


def _require_login() -> Response | None:
    view = current_app.view_functions.get(request.endpoint or "")
    is_public = view is None or getattr(view, _PUBLIC, False)
    if request.endpoint in _FOR_EVERYBODY:
        return None
    if current_user.is_authenticated:
        # The object itself, not Flask-Login's proxy, which would look the user up anew.
        g.account = current_user._get_current_object()
        return None
    if is_public:
        return None
    session["next"] = drafts.keep_and_return()
    return redirect(url_for("entry.show"), code=303)


def holds(key: str) -> bool:
    """Whether the login with this key still holds; asked again and again by live pages.

    What the account may see is read anew, too: an administrator may have become an operator.
    """
    found = signed_in(db.session(), key)
    if found is None:
        return False
    user = found[0]
    g.account = Account(user.id, user.email, user.is_admin, key)
    return True


def account() -> Account:
    """Whoever is asking; 404 on a page that nobody logged in to."""
    found: Account | None = g.get("account")
    if found is None:
        abort(404)
    return found


def actor() -> Actor:
    """Whoever is asking, for the audit."""
    return Actor(account().id, account().email, request.remote_addr or "")


def visible_companies(reading: Session) -> frozenset[int] | None:
    """The companies this account may see; None for an administrator, who sees all."""
    if account().is_admin:
        return None
    granted = select(Grant.company_id).where(Grant.user_id == account().id)
    return frozenset(reading.scalars(granted))


def may_see(reading: Session, company_id: int) -> bool:
    """Whether this account may see a company."""
    return account().is_admin or reading.get(Grant, (account().id, company_id)) is not None


def company_or_404(company_id: int) -> Company:
    """The company, if it is there and this account may see it."""
    company = db.session.get(Company, company_id)
    if company is None or company.deleted_at is not None or not may_see(db.session(), company_id):
        abort(404)
    return company


def webhook_or_404(webhook_id: int) -> Webhook:
    """The webhook, if it is there and this account may see its company."""
    webhook = db.session.get(Webhook, webhook_id)
    if webhook is None or webhook.deleted_at is not None:
        abort(404)
    company_or_404(webhook.company_id)
    return webhook


def delivery_or_404(delivery_id: int) -> tuple[Delivery, Event, Webhook]:
    """The delivery with its event and its webhook, if this account may see them."""
    delivery = db.session.get(Delivery, delivery_id)
    event = None if delivery is None else db.session.get(Event, delivery.event_id)
    if delivery is None or event is None:
        abort(404)
    return delivery, event, webhook_or_404(delivery.webhook_id)
