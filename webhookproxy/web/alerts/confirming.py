"""An address is confirmed by a button, because programs that look at a mail open its links."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from webhookproxy.alerts.addresses import CONFIRM_PATH, awaiting_confirmation, confirm
from webhookproxy.extensions import db
from webhookproxy.models import User
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import public
from webhookproxy.web.shared.forms import write
from webhookproxy.web.shared.headers import keep_address_secret

blueprint = Blueprint("alert_confirming", __name__)
blueprint.after_request(keep_address_secret)

# No token is longer.
_TOKEN_CHARACTERS = 64


@blueprint.route(f"{CONFIRM_PATH}<token>", methods=["GET", "POST"])
@public
def show(token: str) -> str | tuple[str, int]:
    """Show a button; confirm the address once it is pressed."""
    throttle.limit("guest", throttle.address())
    token = token[:_TOKEN_CHARACTERS]
    waiting = awaiting_confirmation(db.session(), token)
    if waiting is None:
        return _over()
    label = waiting.label
    if request.method != "POST":
        return render_template("alerts/confirm.html", label=label, step="ask")
    if not _confirm(token):
        return _over()
    return render_template("alerts/confirm.html", label=label, step="done")


def _confirm(token: str) -> bool:
    origin = request.remote_addr or ""

    def job(session: Session) -> bool:
        address = confirm(session, token)
        if address is None:
            return False
        user = session.get_one(User, address.user_id)
        record(
            session,
            Actor(user.id, user.email, origin),
            Action.ALERT_ADDRESS_CONFIRMED,
            subject=f"address_{address.id}",
            detail=address.kind,
        )
        return True

    return write(job)


def _over() -> tuple[str, int]:
    """Return the same page for a link that is unknown, used or expired."""
    return render_template("alerts/confirm.html", step="over"), 404
