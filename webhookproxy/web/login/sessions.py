"""From the right password to a session: at once, or by way of the second factor."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flask import redirect, request, session, url_for
from flask_login import login_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import User
from webhookproxy.models.accounts.second_factors import on_since
from webhookproxy.models.accounts.sign_ins import half_sign_in, half_signed_in, sign_in
from webhookproxy.models.audit import Action, Actor, logged_in_from, record
from webhookproxy.network.addresses import counted_as
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import Account
from webhookproxy.web.shared.forms import write

# So long an address from which somebody logged in is taken for theirs.
KNOWN_FOR = timedelta(days=30)
# In the session: the key of a login that waits for the second factor.
HALF = "half"

# Printable ASCII after one slash: browsers read "//", "/\" and control characters as another site.
_OWN_PAGE = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def is_own_page(target: object) -> bool:
    """Whether one may be sent there after a login: a page of this site and nothing else."""
    return isinstance(target, str) and _OWN_PAGE.fullmatch(target) is not None


def arrive(user: User) -> Response:
    """Let in whoever gave the right password; ask for the second factor first, if it is on."""
    user_id, email, is_admin = user.id, user.email, user.is_admin
    who = Actor(user_id, email, request.remote_addr or "")

    def job(writing: Session) -> tuple[bool, str]:
        if on_since(writing, user_id) is not None:
            return True, half_sign_in(writing, user_id)
        record(writing, who, Action.LOGIN)
        return False, sign_in(writing, user_id)

    is_half, key = write(job)
    if not is_half:
        return enter(Account(user_id, email, is_admin, key))
    _start_anew("next", "draft")
    session[HALF] = key
    return redirect(url_for("second_step.show"), code=303)


def enter(account: Account) -> Response:
    """Let somebody in, and send them where they were going."""
    target = session.get("next")
    # Nothing of the session before the login is kept but what was being typed.
    _start_anew("draft")
    login_user(account)
    session.permanent = True
    return redirect(target if is_own_page(target) else url_for("panel.show"), code=303)  # type: ignore[arg-type]


def waited_too_long() -> bool:
    """Whether this browser gave a password, and its time to give the code is over."""
    return HALF in session and half_signed_in(db.session(), str(session[HALF])) is None


def limit_passwords(email: str) -> None:
    """Count a password that is tried; 429 once there were too many."""
    throttle.limit("login", throttle.address(), email)
    _limit_everywhere("account", email)


def limit_codes(email: str) -> None:
    """Count a code of the second factor that is tried; 429 once there were too many.

    There are a million codes, of which three are good at a time: also from an address that is
    known somebody gets no more than 30 an hour.
    """
    throttle.limit("second", throttle.address(), email)
    throttle.limit("second_hour", throttle.address(), email)
    _limit_everywhere("second_account", email)


def _limit_everywhere(kind: str, email: str) -> None:
    if not throttle.allowed(kind, email) and not _known_here(email):
        throttle.refuse(kind, email)


def _known_here(email: str) -> bool:
    """Whether this e-mail logged in from here lately: others' guesses must not lock it out."""
    since = datetime.now(UTC) - KNOWN_FOR
    addresses = logged_in_from(db.session(), email, since)
    return throttle.address() in {counted_as(address) for address in addresses}


def _start_anew(*kept: str) -> None:
    values = {name: session[name] for name in kept if name in session}
    session.clear()
    session.update(values)
