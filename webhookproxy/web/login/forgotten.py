"""A user who forgot the password chooses another, with a link that an administrator made."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import logout_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from webhookproxy.extensions import db
from webhookproxy.models.accounts.password_links import change_with_link, opens_something
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.web.login import passwords
from webhookproxy.web.login.forms import ForgottenForm
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import public
from webhookproxy.web.shared.forms import write
from webhookproxy.web.shared.headers import keep_address_secret

blueprint = Blueprint("forgotten", __name__)
blueprint.after_request(keep_address_secret)

# No token is longer.
_TOKEN_CHARACTERS = 64


@blueprint.route("/senha/<token>", methods=["GET", "POST"])
@public
def choose(token: str) -> str | BaseResponse | tuple[str, int]:
    """Ask for the new password twice, and store it; opening the page changes nothing."""
    throttle.limit("guest", throttle.address())
    token = token[:_TOKEN_CHARACTERS]
    if not opens_something(db.session(), token):
        return _over()
    form = ForgottenForm()
    if form.validate_on_submit():
        return _change(token, passwords.hashed(str(form.password.data)))
    return render_template("login/forgotten.html", form=form)


def _change(token: str, fresh: str) -> BaseResponse | tuple[str, int]:
    address = request.remote_addr or ""

    def job(session: Session) -> bool:
        user = change_with_link(session, token, fresh)
        if user is not None:
            who = Actor(user.id, user.email, address)
            record(session, who, Action.PASSWORD_CHANGED, detail="link")
        return user is not None

    if not write(job):
        return _over()
    # A login of another user in this browser would hide the one to come.
    logout_user()
    flash("A senha foi trocada, e as outras sessões foram encerradas. Entre com ela.")
    return redirect(url_for("login.show"), code=303)


def _over() -> tuple[str, int]:
    return render_template("login/forgotten.html", form=None), 404
