"""The way in for a guest: the link shows a button, and the button gives the browser a cookie.

Programs that draw a preview of a link open it too: a GET neither reads nor changes anything.
"""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from webhookproxy.database.clock import utc_now
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.extensions import db
from webhookproxy.models import GuestLink
from webhookproxy.models.accounts.guest_links import guest_link_of, guest_link_with
from webhookproxy.models.audit import GUEST, Action, Actor, record
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import public
from webhookproxy.web.shared.forms import write
from webhookproxy.web.shared.headers import keep_address_secret

blueprint = Blueprint("guests", __name__, url_prefix="/convidado")
blueprint.after_request(keep_address_secret)

COOKIE = "guest"
# No token is longer.
_TOKEN_CHARACTERS = 64


@blueprint.before_request
def _forget_account() -> None:
    # A user who opens a guest's link sees what the guest sees.
    g.account = None


@blueprint.route("/<token>", methods=["GET", "POST"])
@public
def door(token: str) -> str | BaseResponse | tuple[str, int]:
    """Show a button; give the browser the cookie once it is pressed."""
    if request.method != "POST":
        return render_template("guests/door.html")
    throttle.limit("guest", throttle.address())
    address = request.remote_addr or ""

    def job(session: Session) -> tuple[str, datetime] | None:
        link = guest_link_of(session, token[:_TOKEN_CHARACTERS])
        if link is None:
            return None
        _note_use(session, link, address, "opened")
        return link.token_hash, link.expires_at

    opened = write(job)
    return over() if opened is None else _enter(*opened)


def _enter(token_hash: str, until: datetime) -> BaseResponse:
    answer = redirect(url_for("guests.show"), code=303)
    # Not the token: who reads the cookie cannot hand the link on.
    answer.set_cookie(
        COOKIE,
        str(_signer().dumps(token_hash)),
        max_age=int((until - utc_now()).total_seconds()),
        path=str(blueprint.url_prefix),
        secure=current_app.config["PREFERRED_URL_SCHEME"] == "https",
        httponly=True,
        samesite="Lax",
    )
    return answer


@blueprint.post("/sair")
@public
def leave() -> BaseResponse:
    """Take the cookie away; the link stays valid."""
    answer = redirect(url_for("login.show"), code=303)
    answer.delete_cookie(COOKIE, path=str(blueprint.url_prefix))
    return answer


def over() -> tuple[str, int]:
    """Return the same page for a link that is unknown, revoked or expired."""
    return render_template("guests/over.html"), 404


def invited() -> GuestLink | None:
    """Return the link whose cookie the browser has; None without one that is valid.

    The audit gets a line of its use, once an hour.
    """
    link = link_of_cookie()
    if link is not None and link.use_is_due:
        _note_seen(link.token_hash)
    return link


def link_of_cookie() -> GuestLink | None:
    """Return the same, without a line in the audit: a page that stays open is one use."""
    try:
        token_hash = str(_signer().loads(request.cookies.get(COOKIE, "")))
    except BadSignature:
        return None
    return guest_link_with(db.session(), token_hash)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="guest link")


def _note_seen(token_hash: str) -> None:
    address = request.remote_addr or ""

    def job(session: Session) -> None:
        link = guest_link_with(session, token_hash)
        if link is not None and link.use_is_due:
            _note_use(session, link, address, "seen")

    store: Store = current_app.extensions["store"]
    try:
        store.session(job)
    except StoreUnavailable:
        # Pages can be read while nothing can be written.
        return


def _note_use(session: Session, link: GuestLink, address: str, detail: str) -> None:
    link.used_at = utc_now()
    record(
        session,
        Actor(None, GUEST, address),
        Action.GUEST_LINK_USED,
        company_id=link.company_id,
        subject=f"guest_{link.id}",
        detail=detail,
    )
