"""From the right password to a session, at once or through the second factor."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import redirect, request, session, url_for
from flask_login import login_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import User
from webhookproxy.models.accounts.second_factors import on_since
from webhookproxy.models.accounts.sign_ins import begin_sign_in, pending_user, sign_in
from webhookproxy.models.audit import Action, Actor, logged_in_from, record
from webhookproxy.network.addresses import counted_as
from webhookproxy.web.shared import drafts, throttle
from webhookproxy.web.shared.access import Account
from webhookproxy.web.shared.forms import write

# How long an address from which a user logged in is taken for theirs.
KNOWN_FOR = timedelta(days=30)
# In the session: the key of a login that waits for the second factor.
PENDING = "pending"

# Printable ASCII after one slash: browsers read "//", "/\" and control characters as another site.
_OWN_PAGE = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_own_page(target: object) -> bool:
    """Return whether a target is a page of this site, and so may follow a login."""
    return isinstance(target, str) and _OWN_PAGE.fullmatch(target) is not None


def arrive(user: User) -> Response:
    """Log in a user who gave the right password, or ask for the second factor if it is on."""
    user_id = user.id
    who = Actor(user_id, user.email, request.remote_addr or "")

    def job(writing: Session) -> tuple[bool, str]:
        if on_since(writing, user_id) is not None:
            return True, begin_sign_in(writing, user_id)
        record(writing, who, Action.LOGIN)
        return False, sign_in(writing, user_id)

    is_pending, key = write(job)
    if not is_pending:
        return enter(Account.of(user, key))
    _clear_session("next", "draft")
    session[PENDING] = key
    return redirect(url_for("second_step.show"), code=303)


def enter(account: Account) -> Response:
    """Start the session of a login that is complete, and go to the page that was asked for."""
    target = session.get("next")
    # Of the session before the login only what this user was typing stays.
    _clear_session("draft")
    drafts.forget_others(account.id)
    login_user(account)
    session.permanent = True
    return redirect(target if is_own_page(target) else url_for("panel.show"), code=303)  # type: ignore[arg-type]


def waited_too_long() -> bool:
    """Return whether this browser gave a password and was too late with the code."""
    return PENDING in session and pending_user(db.session(), str(session[PENDING])) is None


def limit_passwords(email: str) -> None:
    """Count a try of a password; answer 429 after too many."""
    throttle.limit("login", throttle.address(), email)
    _limit_everywhere("account", email)


def limit_codes(email: str) -> None:
    """Count a try of a code of the second factor; answer 429 after too many.

    Of a million codes three are good at a time: so even a known address gets only 30 an hour.
    """
    throttle.limit("second", throttle.address(), email)
    throttle.limit("second_hour", throttle.address(), email)
    _limit_everywhere("second_account", email)


def _limit_everywhere(kind: str, email: str) -> None:
    if not throttle.allowed(kind, email) and not known_here(email):
        throttle.refuse(kind, email)


def known_here(email: str) -> bool:
    """Return whether this e-mail logged in here lately: guesses elsewhere must not lock it out."""
    since = utc_now() - KNOWN_FOR
    addresses = logged_in_from(db.session(), email, since)
    return throttle.address() in {counted_as(address) for address in addresses}


def _clear_session(*kept: str) -> None:
    values = {name: session[name] for name in kept if name in session}
    session.clear()
    session.update(values)
