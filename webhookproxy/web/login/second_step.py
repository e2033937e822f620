"""The second step of a login: a code, after the right password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models.accounts.second_factors import Means, codes_left, prove
from webhookproxy.models.accounts.sign_ins import end_pending_sign_in, pending_user, sign_in
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.rules import Refused
from webhookproxy.web.login import sessions
from webhookproxy.web.login.forms import WRONG_CODE, CodeForm
from webhookproxy.web.shared.access import Account, public
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("second_step", __name__)


@blueprint.route("/entrar/codigo", methods=["GET", "POST"])
@public
def show() -> str | Response:
    """Ask for the code, and complete the login with it."""
    if current_user.is_authenticated:
        return redirect(url_for("panel.show"), code=303)
    key = str(session.get(sessions.PENDING, ""))
    user = pending_user(db.session(), key)
    if user is None:
        return _back()
    form = CodeForm()
    if form.validate_on_submit():
        sessions.limit_codes(user.email)
        try:
            return _finish(key, form.typed())
        except _Over:
            return _back()
        except Refused as refused:
            form.take(refused)
    return render_template("login/code.html", form=form, email=user.email)


class _Over(Exception):
    """Another request completed or ended the login meanwhile."""


def _back() -> Response:
    # The session stays as it is: after a double click this answer must not replace the cookie of
    # the login that the first click completed.
    return redirect(url_for("login.show"), code=303)


def _finish(key: str, typed: dict[str, str]) -> Response:
    """Complete the login. Raises Refused for a wrong code, _Over if the login has ended."""
    address = request.remote_addr or ""

    def job(writing: Session) -> tuple[Account, int | None] | None:
        user = pending_user(writing, key)
        if user is None:
            raise _Over
        who = Actor(user.id, user.email, address)
        means = prove(writing, user.id, **typed)
        if means is None:
            record(writing, who, Action.LOGIN_REFUSED, detail="second factor")
            return None
        end_pending_sign_in(writing, key)
        left = codes_left(writing, user.id) if means is Means.RECOVERY_CODE else None
        record(writing, who, Action.LOGIN, detail=_detail(left))
        return Account.of(user, sign_in(writing, user.id)), left

    done = write(job)
    if done is None:
        raise Refused.one("", "", WRONG_CODE)
    answer = sessions.enter(done[0])
    if done[1] is not None:
        flash(_words(done[1]), "warning")
    return answer


def _detail(left: int | None) -> str:
    return "" if left is None else f"recovery code, {left} left"


def _words(left: int) -> str:
    if left == 0:
        return (
            "Você entrou com o último código de recuperação. Gere outros em Conta, com um código "
            "do aplicativo; se o perdeu, peça a um administrador que desligue o seu segundo fator."
        )
    rest = "Resta 1" if left == 1 else f"Restam {left}"
    return (
        f"Você entrou com um código de recuperação. {rest}. Se perdeu o aplicativo, desligue o "
        "segundo fator em Conta e ligue-o de novo no aparelho novo."
    )
