"""Who is logged in, and what they may see and do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from typing import ParamSpec, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_login import UserMixin, current_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from webhookproxy.api.shared.problems import asks_api
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.extensions import db
from webhookproxy.models import Company, Delivery, Event, Grant, User, Webhook
from webhookproxy.models.accounts.people import granted_companies
from webhookproxy.models.accounts.sign_ins import signed_in, touch_sign_in
from webhookproxy.models.audit import Actor
from webhookproxy.models.companies import tokens_later
from webhookproxy.request_extensions import login_manager
from webhookproxy.search.company_names import companies_named
from webhookproxy.web.shared import drafts
from webhookproxy.web.shared.address import PublicId

P = ParamSpec("P")
R = TypeVar("R")

COMPANIES_MAX = 200
# A list that is sorted by what is wrong looks at more companies than it shows.
LOOKED_AT = 500

_PUBLIC = "is_public"
_FOR_READERS = "is_for_readers"
# What a user has before choosing a password in place of one that another person typed.
_BEFORE_THE_CHANGE = ("login.own", "login.leave")
# What every user changes of their own, readers too.
_OWN_ACCOUNT = ("login", "second_factor", "alerts", "alert_watches", "api_tokens")
# Never looked up in the database: monitors, and static files that do not exist.
_WITHOUT_ACCOUNT = ("health.show", "metrics.show", "static")


@dataclass(frozen=True, slots=True)
class Account(UserMixin):
    """The user who is logged in, as they are at this request."""

    id: int
    email: str
    is_admin: bool
    key: str
    is_reader: bool = False
    must_change_password: bool = False

    @classmethod
    def of(cls, user: User, key: str) -> Account:
        """Return the account of a user in the login with this key."""
        must_change = user.must_change_password
        return cls(user.id, user.email, user.is_admin, key, user.is_reader, must_change)

    @property
    def sees_personal(self) -> bool:
        """Return whether personal data is shown to this account as it is."""
        return not self.is_reader

    def get_id(self) -> str:
        """Return what the cookie holds: the key of this login, not the number of the user."""
        return self.key


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a page that needs no login."""
    setattr(view, _PUBLIC, True)
    return view


def readers(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a page that a reader may open: it masks all personal data for them."""
    setattr(view, _FOR_READERS, True)
    return view


def administrators(view: Callable[P, R]) -> Callable[P, R]:
    """Answer 403 to everyone else, before the address's ids are looked up."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not account().is_admin:
            abort(403)
        return view(*args, **kwargs)

    return guarded


def init_app(app: Flask) -> None:
    """Guard every page. Call this before pages are registered: their addresses use the ids."""
    for kind in ("company", "webhook", "delivery", "user", "resend", "guest", "address", "token"):
        app.url_map.converters[kind] = type(kind, (PublicId,), {"kind": kind})
    # No template asks Flask-Login for the user. The page of an error would look them up again, in a
    # database that just failed to answer.
    login_manager.init_app(app, add_context_processor=False)
    login_manager.session_protection = "basic"
    login_manager.user_loader(_load)
    app.before_request(_refuse_nul)
    app.before_request(_require_login)
    app.context_processor(lambda: {"account": g.get("account")})


def _load(key: str) -> Account | None:
    found = signed_in(db.session(), key)
    if found is None:
        return None
    user, stale = found
    # A tab that no one looks at asks for changes too, without end: that is no use of the login.
    if stale and not _asks_for_changes():
        _touch(key)
    return Account.of(user, key)


def _touch(key: str) -> None:
    store: Store = current_app.extensions["store"]
    try:
        store.session(lambda writing: touch_sign_in(writing, key))
    except StoreUnavailable:
        # Pages can be read while nothing can be written.
        return


def _refuse_nul() -> None:
    """Answer 400 to a NUL, which no keyboard types and which PostgreSQL cannot compare or store."""
    fields = chain(request.args.lists(), request.form.lists())
    if any("\0" in value for _, values in fields for value in values):
        abort(400)


def _require_login() -> Response | None:
    view = current_app.view_functions.get(request.endpoint or "")
    is_public = view is None or getattr(view, _PUBLIC, False)
    # The API has looked at its token, and never looks at a cookie.
    if request.endpoint in _WITHOUT_ACCOUNT or asks_api():
        return None
    if current_user.is_authenticated:
        # The object itself: Flask-Login's proxy would look the user up again.
        g.account = current_user._get_current_object()
        if is_public:
            return None
        if account().must_change_password and request.endpoint not in _BEFORE_THE_CHANGE:
            return redirect(url_for("login.own"), code=303)
        if not _may_open():
            abort(403)
        return None
    if is_public:
        return None
    session["next"] = _next_page()
    if request.method == "POST":
        drafts.keep()
    return redirect(url_for("login.show"), code=303)


def _may_open() -> bool:
    """Return whether the role allows the page; a reader has only pages that mask what is personal.

    Of a reader's own account everything is allowed.
    """
    if not account().is_reader or request.blueprint in _OWN_ACCOUNT:
        return True
    view = current_app.view_functions.get(request.endpoint or "")
    # An address that does not exist answers 404.
    if view is None:
        return True
    return request.method in ("GET", "HEAD") and getattr(view, _FOR_READERS, False)


def _asks_for_changes() -> bool:
    """Return whether an open live page sent the request, and not its user."""
    return "text/event-stream" in request.headers.get("Accept", "")


def _next_page() -> str:
    """Return the page to go to after the login."""
    if _asks_for_changes():
        # This address is not where the user was going.
        return str(session.get("next", "/"))
    # An address that only takes a press of a button has no page.
    rule = request.url_rule
    has_page = rule is not None and "GET" in (rule.methods or ())
    return request.full_path.removesuffix("?") if has_page else "/"


def holds(key: str) -> bool:
    """Return whether the login with this key is still valid. Live pages ask this repeatedly.

    It reads again what the account may see, because an administrator may have become an operator
    or a reader, and does not count as a use of the login.
    """
    found = signed_in(db.session(), key)
    if found is None:
        return False
    user = found[0]
    g.account = Account.of(user, key)
    return _may_open() and not user.must_change_password


def account() -> Account:
    """Return the account that is logged in. Answers 404 on a page without one."""
    found: Account | None = g.get("account")
    if found is None:
        abort(404)
    return found


def sees_personal() -> bool:
    """Return whether the user may see personal data; without an account no one may."""
    found: Account | None = g.get("account")
    return found is not None and found.sees_personal


class FromOtherSite(Forbidden):
    """The answer to a link on another site."""


def refuse_other_sites() -> None:
    """Raise FromOtherSite for a link on another site. Call this before a GET that leaves a trace.

    The browser sends the cookie with such a link, so its author would write in the user's name.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise FromOtherSite


def actor() -> Actor:
    """Return the account that is logged in, as the audit names it."""
    return Actor(account().id, account().email, request.remote_addr or "")


def visible_companies(reading: Session) -> frozenset[int] | None:
    """Return the numbers of the companies this account may see; None for an administrator."""
    if account().is_admin:
        return None
    return granted_companies(reading, account().id)


def list_companies(reading: Session, search: str = "", most: int = COMPANIES_MAX) -> list[Company]:
    """Return the companies this account may see, by name, `most` of them at most.

    `search` is words of the name, as people type them, or the whole 3C Plus id. A token is read
    when it is asked for: each costs time to decrypt.
    """
    query = (
        select(Company)
        .where(Company.deleted_at.is_(None))
        .options(joinedload(Company.connection), *tokens_later())
        .order_by(Company.name, Company.id)
        .limit(most)
    )
    allowed = visible_companies(reading)
    if allowed is not None:
        query = query.where(Company.id.in_(allowed))
    if search:
        query = query.where(Company.id.in_(companies_named(reading, search)))
    return list(reading.scalars(query))


def company_or_404(company_id: int) -> Company:
    """Return the company, if it exists and this account may see it."""
    company = db.session.get(Company, company_id)
    if company is None or company.deleted_at is not None or not _may_see(company_id):
        abort(404)
    return company


def _may_see(company_id: int) -> bool:
    return account().is_admin or db.session.get(Grant, (account().id, company_id)) is not None


def webhook_or_404(webhook_id: int) -> Webhook:
    """Return the webhook, if it exists and this account may see its company."""
    webhook = db.session.get(Webhook, webhook_id)
    if webhook is None or webhook.deleted_at is not None:
        abort(404)
    company_or_404(webhook.company_id)
    return webhook


def delivery_or_404(delivery_id: int) -> tuple[Delivery, Event, Webhook]:
    """Return the delivery with its event and its webhook, if this account may see them."""
    delivery = db.session.get(Delivery, delivery_id)
    event = None if delivery is None else db.session.get(Event, delivery.event_id)
    if delivery is None or event is None:
        abort(404)
    return delivery, event, webhook_or_404(delivery.webhook_id)
