"""The users: administrators, and operators and readers with their companies."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Company, Grant, User
from webhookproxy.models.accounts.people import (
    change_role,
    create_user,
    delete_user,
    grant_only,
)
from webhookproxy.models.accounts.second_factors import on_since, turn_off, users_with_it
from webhookproxy.models.accounts.sign_ins import set_password
from webhookproxy.models.audit import Action, record
from webhookproxy.rules import Refused
from webhookproxy.web.admin.user_forms import UserForm
from webhookproxy.web.shared.access import account, actor, administrators
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("users", __name__)


@blueprint.get("/usuarios")
@administrators
def index() -> str:
    """List everyone who may log in, and what each may see."""
    users = db.session.scalars(select(User).order_by(User.email)).all()
    secured = users_with_it(db.session())
    return render_template(
        "admin/users/index.html", users=users, granted=_granted(), secured=secured
    )


def _granted() -> dict[int, list[Company]]:
    rows = db.session.execute(
        select(Grant.user_id, Company)
        .join(Company, Company.id == Grant.company_id)
        .where(Company.deleted_at.is_(None))
        .order_by(Company.name)
    )
    found: dict[int, list[Company]] = {}
    for user_id, company in rows:
        found.setdefault(user_id, []).append(company)
    return found


def _companies() -> list[Company]:
    query = select(Company).where(Company.deleted_at.is_(None)).order_by(Company.name)
    return list(db.session.scalars(query))


@blueprint.route("/usuarios/novo", methods=["GET", "POST"])
@administrators
def create() -> str | Response:
    """Create a user."""
    form = UserForm()
    form.offer(_companies())
    if form.validate_on_submit():
        who = actor()

        def act(writing: Session, typed: dict[str, Any]) -> int:
            role = {"admin": typed["admin"], "reader": typed["reader"]}
            user = create_user(writing, typed["email"], typed["password_hash"], **role)
            user.must_change_password = True
            grant_only(writing, user, typed["companies"])
            record(writing, who, Action.USER_CREATED, subject=user.email)
            return user.id

        if saved := form.save(act):
            user_id, is_new = saved
            said = "O usuário foi criado."
            if form.generated and not is_new:
                said += " A senha gerada estava na resposta anterior; se não a copiou, gere outra."
            return _saved(user_id, form.generated if is_new else None, said)
    return render_template("admin/users/form.html", form=form, user=None)


@blueprint.route("/usuarios/<user:user_id>", methods=["GET", "POST"])
@administrators
def edit(user_id: int) -> str | Response:
    """Change a user's role, companies or password; a new password ends that user's logins."""
    user = _user_or_404(user_id)
    form = UserForm()
    form.offer(_companies())
    form.is_edit = True
    if request.method == "GET" and not form.recovered:
        form.fill(user, _granted().get(user_id, []))
    if form.validate_on_submit():
        try:
            _save(user_id, form)
        except Refused as refused:
            form.take(refused)
        else:
            return _saved(user_id, form.generated, "O usuário foi salvo.")
    since = on_since(db.session(), user_id)
    return render_template("admin/users/form.html", form=form, user=user, second_since=since)


def _save(user_id: int, form: UserForm) -> None:
    typed = form.typed()
    themselves = user_id == account().id
    if themselves and not typed["admin"]:
        raise Refused.one(
            "role", "", "Você não pode tirar de si o papel de administrador: peça a outro."
        )
    kept = account().key if themselves else None
    who = actor()

    def job(writing: Session) -> None:
        user = writing.get(User, user_id)
        if user is None:
            raise Refused.one("email", "", "Este usuário foi excluído por outra pessoa.")
        change_role(writing, user, admin=typed["admin"], reader=typed["reader"])
        grant_only(writing, user, typed["companies"])
        record(writing, who, Action.USER_CHANGED, subject=user.email)
        if typed["password_hash"] is not None:
            fresh = typed["password_hash"]
            set_password(writing, user, fresh, but=kept, typed_by_other=not themselves)
            record(writing, who, Action.PASSWORD_CHANGED, subject=user.email)

    write(job)


def _saved(user_id: int, generated: str | None, said: str) -> str | Response:
    """Redirect to the list, or show a generated password, in this one answer and nowhere else."""
    if generated is None:
        flash(said)
        return redirect(url_for("users.index"), code=303)
    user = _user_or_404(user_id)
    return render_template("admin/users/password.html", user=user, password=generated)


@blueprint.route("/usuarios/<user:user_id>/excluir", methods=["GET", "POST"])
@administrators
def delete(user_id: int) -> str | Response:
    """Say what is lost; delete the user once that is confirmed. No one deletes themselves."""
    user = _user_or_404(user_id)
    if request.method == "POST" and user_id != account().id:
        who, email = actor(), user.email

        def job(writing: Session) -> None:
            delete_user(writing, writing.get(User, user_id))
            record(writing, who, Action.USER_DELETED, subject=email)

        try:
            write(job)
        except Refused as refused:
            flash(refused.problems[0].portuguese)
        else:
            flash(f"O usuário {email} foi excluído, e as sessões dele terminaram.")
        return redirect(url_for("users.index"), code=303)
    return render_template("admin/users/delete.html", user=user)


@blueprint.route("/usuarios/<user:user_id>/segundo-fator", methods=["GET", "POST"])
@administrators
def reset_second_factor(user_id: int) -> str | Response:
    """Turn off the second factor of a user who lost it; turning off one's own needs a code."""
    user = _user_or_404(user_id)
    if request.method == "POST" and user_id != account().id:
        who, email = actor(), user.email

        def job(writing: Session) -> bool:
            was_on = turn_off(writing, user_id, but=None)
            if was_on:
                record(writing, who, Action.SECOND_FACTOR_CHANGED, subject=email, detail="reset")
            return was_on

        done = (
            "foi desligado, e as sessões dele terminaram" if write(job) else "já estava desligado"
        )
        flash(f"O segundo fator de {email} {done}.")
        return redirect(url_for("users.edit", user_id=user_id), code=303)
    is_on = on_since(db.session(), user_id) is not None
    return render_template("admin/users/second_factor.html", user=user, is_on=is_on)


def _user_or_404(user_id: int) -> User:
    user = db.session.get(User, user_id)
    if user is None:
        abort(404)
    return user
