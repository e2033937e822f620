"""One's own second factor: turn it on, turn it off, get new recovery codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import SecondFactor, User
from webhookproxy.models.accounts.one_time_codes import in_fours, qr_code
from webhookproxy.models.accounts.second_factors import (
    TO_CONFIRM,
    begin,
    begun,
    codes_left,
    confirm,
    new_recovery_codes,
    on_since,
    prove,
    turn_off,
)
from webhookproxy.models.audit import Action, record
from webhookproxy.rules import Refused
from webhookproxy.web.login import passwords, sessions
from webhookproxy.web.login.forms import WRONG_CODE, BeginForm, ConfirmForm, ProofForm
from webhookproxy.web.shared.access import account, actor
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("second_factor", __name__)

T = TypeVar("T")


@blueprint.route("/conta/segundo-fator", methods=["GET", "POST"])
def show() -> str | Response:
    """Show that it is on, or turn it on step by step."""
    since = on_since(db.session(), account().id)
    if since is None:
        factor = begun(db.session(), account().id, account().key)
        return _begin() if factor is None else _confirm(factor)
    if request.method == "POST":
        # The second of two clicks: its answer is the one that the browser shows.
        flash("O segundo fator está ligado. Se não copiou os códigos de recuperação, gere outros.")
        return _here()
    left = codes_left(db.session(), account().id)
    return render_template("login/second_factor/show.html", since=since, left=left)


def _here() -> Response:
    return redirect(url_for("second_factor.show"), code=303)


def _begin() -> str | Response:
    form = BeginForm()
    if form.validate_on_submit():
        user_id, key = account().id, account().key
        try:
            _check_password(str(form.current.data))
            write(lambda writing: begin(writing, user_id, key))
        except Refused as refused:
            form.take(refused)
        else:
            return _here()
    return render_template("login/second_factor/begin.html", form=form)


def _confirm(factor: SecondFactor) -> str | Response:
    form = ConfirmForm()
    if form.validate_on_submit():
        sessions.limit_codes(account().email)
        user_id, login, who, code = account().id, account().key, actor(), str(form.code.data)

        def job(writing: Session) -> list[str]:
            codes = confirm(writing, user_id, login, code)
            record(writing, who, Action.SECOND_FACTOR_CHANGED, detail="on")
            return codes

        try:
            return _codes_page(write(job), is_new=True)
        except Refused as refused:
            form.take(refused)
    key, email = factor.key, account().email
    return render_template(
        "login/second_factor/confirm.html",
        form=form,
        key=in_fours(key),
        qr=qr_code(key, email, _issuer()),
        minutes=TO_CONFIRM.seconds // 60,
    )


def _issuer() -> str:
    """Return our name in the app: some apps take two installations with one name for the same."""
    host = current_app.config["PUBLIC_URL"].partition("://")[2].strip("/").replace(":", " ")
    return host or "webhookproxy"


@blueprint.route("/conta/segundo-fator/codigos", methods=["GET", "POST"])
def renew() -> str | Response:
    """Replace the recovery codes and show the new ones once."""
    user_id, who, form = account().id, actor(), ProofForm()

    def act(writing: Session) -> list[str]:
        record(writing, who, Action.SECOND_FACTOR_CHANGED, detail="codes")
        return new_recovery_codes(writing, user_id)

    codes = _if_proven(form, act)
    if codes is not None:
        return _codes_page(codes, is_new=False)
    return _proof_page("login/second_factor/renew.html", form)


@blueprint.route("/conta/segundo-fator/desligar", methods=["GET", "POST"])
def off() -> str | Response:
    """Turn the second factor off and end every other login, as with a new password."""
    user_id, key, who, form = account().id, account().key, actor(), ProofForm()

    def act(writing: Session) -> bool:
        record(writing, who, Action.SECOND_FACTOR_CHANGED, detail="off")
        return turn_off(writing, user_id, but=key)

    if _if_proven(form, act):
        flash("O segundo fator foi desligado, e as outras sessões foram encerradas.")
        return redirect(url_for("login.own"), code=303)
    return _proof_page("login/second_factor/off.html", form)


def _proof_page(template: str, form: ProofForm) -> str:
    is_on = on_since(db.session(), account().id) is not None
    return render_template(template, form=form, is_on=is_on)


def _codes_page(codes: list[str], *, is_new: bool) -> str:
    return render_template("login/second_factor/codes.html", codes=codes, is_new=is_new)


def _if_proven(form: ProofForm, act: Callable[[Session], T]) -> T | None:
    """Run `act` and return its value if the form has the password and a good code; else None."""
    if not form.validate_on_submit():
        return None
    user_id, typed = account().id, form.typed()

    def job(writing: Session) -> T:
        if prove(writing, user_id, **typed) is None:
            raise Refused.one("recovery" if typed["recovery"] else "code", "", WRONG_CODE)
        return act(writing)

    try:
        _check_password(str(form.current.data))
        sessions.limit_codes(account().email)
        return write(job)
    except Refused as refused:
        form.take(refused)
        return None


def _check_password(typed: str) -> None:
    sessions.limit_passwords(account().email)
    user = db.session.get(User, account().id)
    if not passwords.verified(None if user is None else user.password_hash, typed):
        raise Refused.one("current", "", "A senha não confere.")
