"""Log in, log out, create the first administrator, change one's own password."""

from __future__ import annotations

from flask import (
    Blueprint,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_login import current_user, logout_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import User
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.accounts.second_factors import on_since
from webhookproxy.models.accounts.sign_ins import set_password, sign_out
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.rules import Refused
from webhookproxy.web.login import passwords, sessions
from webhookproxy.web.login.forms import (
    FirstForm,
    LoginForm,
    PasswordForm,
)
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import account, actor, public
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("login", __name__)


@blueprint.route("/entrar", methods=["GET", "POST"])
@public
def show() -> str | Response:
    """Log in, and go on to the page that was asked for."""
    if current_user.is_authenticated:
        return redirect(url_for("panel.show"), code=303)
    if _is_empty():
        return redirect(url_for("login.first"), code=303)
    form = LoginForm()
    if form.validate_on_submit():
        user = _checked(str(form.email.data).strip().lower(), str(form.password.data))
        if user is not None:
            return sessions.arrive(user)
        form.form_errors.append("E-mail ou senha incorretos. Confira os dois e tente de novo.")
    return render_template(
        "login/login.html",
        form=form,
        expired="draft" in session,
        too_late=sessions.waited_too_long(),
    )


@blueprint.post("/sair")
def leave() -> Response:
    """Log out; the cookie is worth nothing afterwards."""
    key, who = account().key, actor()

    def job(writing: Session) -> None:
        sign_out(writing, key)
        record(writing, who, Action.LOGOUT)

    write(job)
    logout_user()
    session.clear()
    g.account = None
    return redirect(url_for("login.show"), code=303)


@blueprint.route("/primeiro-acesso", methods=["GET", "POST"])
@public
def first() -> str | Response:
    """Create the first administrator, as long as no user exists."""
    if not _is_empty():
        return redirect(url_for("login.show"), code=303)
    form = FirstForm(code=request.args.get("codigo"))
    if form.is_submitted():
        throttle.limit("code", throttle.address())
    if form.validate_on_submit():
        user = _first_user(form)
        if user is not None:
            return sessions.arrive(user)
    return render_template("login/first.html", form=form)


@blueprint.route("/conta", methods=["GET", "POST"])
def own() -> str | Response:
    """Change one's own password, which ends every other login."""
    form, must_change = PasswordForm(), account().must_change_password
    if form.is_submitted() and _new_password(form):
        flash("A senha foi trocada, e as outras sessões foram encerradas.")
        return redirect(url_for("panel.show" if must_change else "login.own"), code=303)
    since = on_since(db.session(), account().id)
    return render_template("login/own.html", form=form, second_since=since)


def _is_empty() -> bool:
    return db.session.scalar(select(User.id).limit(1)) is None


def _checked(email: str, password: str) -> User | None:
    """Return the user if the password is right; else None, after the same time for any e-mail."""
    throttle.limit("address", throttle.address())
    sessions.limit_passwords(email)
    user = db.session.scalar(select(User).where(User.email == email))
    known, stored = sessions.known_here(email), None if user is None else user.password_hash
    if not passwords.verified(stored, password, known=known):
        who = Actor(None, email, request.remote_addr or "")
        write(lambda writing: record(writing, who, Action.LOGIN_REFUSED))
        return None
    if user is not None and passwords.needs_rehash(user.password_hash):
        _rehash(user.id, password)
    return user


def _rehash(user_id: int, password: str) -> None:
    fresh = passwords.hashed(password)

    def job(writing: Session) -> None:
        user = writing.get(User, user_id)
        if user is not None:
            user.password_hash = fresh

    write(job)


def _first_user(form: FirstForm) -> User | None:
    try:
        fresh = passwords.hashed(str(form.password.data))
        email = str(form.email.data)
        user_id = write(lambda writing: _create_first(writing, email, fresh))
    except Refused as refused:
        form.take(refused)
        return None
    current_app.logger.info("the first administrator was created")
    return db.session.get(User, user_id)


def _create_first(writing: Session, email: str, password_hash: str) -> int:
    # Asked again inside the transaction: two browsers may hold the code.
    if writing.scalar(select(User.id).limit(1)) is not None:
        raise Refused.one("code", "", "O primeiro administrador já foi criado: entre com ele.")
    return create_user(writing, email, password_hash, admin=True).id


def _new_password(form: PasswordForm) -> bool:
    throttle.limit("login", throttle.address(), account().email)
    user_id, key, who = account().id, account().key, actor()
    user = db.session.get(User, user_id)
    is_valid = form.validate()
    if form.current.data and (
        user is None or not passwords.verified(user.password_hash, form.current.data)
    ):
        form.take(Refused.one("current", "", "A senha atual não confere."))
        return False
    if is_valid and account().must_change_password and form.password.data == form.current.data:
        form.take(Refused.one("password", "", "Escolha outra: esta é a que você recebeu."))
        return False
    if not is_valid:
        return False
    fresh = passwords.hashed(str(form.password.data))

    def job(writing: Session) -> None:
        set_password(writing, writing.get_one(User, user_id), fresh, but=key)
        record(writing, who, Action.PASSWORD_CHANGED)

    write(job)
    return True
