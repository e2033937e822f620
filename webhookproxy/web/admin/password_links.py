"""An administrator makes a link with which a user chooses another password."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request, url_for
from sqlalchemy.orm import Session

from webhookproxy.extensions import db
from webhookproxy.models import User
from webhookproxy.models.accounts.password_links import make_password_link
from webhookproxy.models.audit import Action, record
from webhookproxy.web.shared.access import account, actor, administrators
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("password_links", __name__)


@blueprint.route("/usuarios/<user:user_id>/link-de-senha", methods=["GET", "POST"])
@administrators
def make(user_id: int) -> str:
    """Say what the link does; make it once that is confirmed, and show it in this one answer."""
    user = db.session.get(User, user_id)
    if user is None:
        abort(404)
    made = ""
    if request.method == "POST" and user_id != account().id:
        who, email = actor(), user.email

        def job(session: Session) -> str:
            record(session, who, Action.PASSWORD_LINK_MADE, subject=email)
            return make_password_link(session, user_id)

        made = url_for("forgotten.choose", token=write(job), _external=True)
    return render_template("admin/users/password_link.html", user=user, made=made)
