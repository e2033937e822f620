"""A user's tokens for programs: made, shown once, and revoked."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import SelectField, SelectMultipleField, StringField

from webhookproxy.extensions import db
from webhookproxy.models import ApiToken, Company, User
from webhookproxy.models.accounts.api_tokens import (
    Scope,
    api_tokens,
    find_api_token,
    make_api_token,
    rights_of,
)
from webhookproxy.models.audit import Action, record
from webhookproxy.web.shared.access import account, actor, list_companies
from webhookproxy.web.shared.forms import StoredForm, choices, write

blueprint = Blueprint("api_tokens", __name__)

# By the scope: its name, and what a program can do with it.
SCOPES = {
    Scope.READ: ("Ler", "empresas, webhooks, eventos e entregas, com os dados pessoais escondidos"),
    Scope.PAYLOADS: ("Ver conteúdos", "o conteúdo dos eventos e as respostas das URLs, inteiros"),
    Scope.OPERATE: (
        "Operar",
        "conectar, testar, pausar, reenviar, mudar webhooks, trocar segredos",
    ),
    Scope.ADMINISTER: ("Administrar", "criar e excluir empresas e webhooks, e mudar empresas"),
}
_DAYS = {7: "7 dias", 30: "30 dias", 90: "90 dias", 365: "1 ano"}


class TokenForm(StoredForm):
    """A token to make."""

    FAILED = "Nenhum token foi criado."

    name = StringField(
        "Para quê", description="Como o script do faturamento; só aparece aqui, para você saber."
    )
    days = SelectField("Vale por", choices=choices({str(n): said for n, said in _DAYS.items()}))
    scopes = SelectMultipleField("O que pode", validate_choice=False, choices=[])
    companies = SelectMultipleField("Empresas", coerce=int, validate_choice=False, choices=[])

    # The scopes and the companies to choose from.
    offered_scopes: list[tuple[str, str, str]]
    offered: list[tuple[int, str]]

    def offer(self, user: User, companies: list[Company]) -> None:
        """Fill the lists with what the user may choose."""
        allowed = rights_of(user) - {Scope.READ}
        self.offered_scopes = [(each, *SCOPES[each]) for each in Scope if each in allowed]
        self.offered = [(company.id, company.name) for company in companies]

    def typed(self) -> dict[str, Any]:
        """Return the arguments of `make_api_token`; no company that is ticked means all."""
        ticked = set(self.companies.data or ())
        companies = {number for number, _ in self.offered} & ticked
        scopes = set(self.scopes.data or ())
        return {
            "name": str(self.name.data or ""),
            "days": int(str(self.days.data)),
            "scopes": [each for each in Scope if each.value in scopes],
            "company_ids": companies if ticked else None,
        }


@blueprint.route("/conta/tokens", methods=["GET", "POST"])
def show() -> str:
    """List the tokens; make one, and show it in this one answer."""
    session = db.session()
    form = TokenForm(data={"days": "90"} if request.method == "GET" else None)
    companies = list_companies(session)
    form.offer(session.get_one(User, account().id), companies)
    made = _make(form) if form.validate_on_submit() else ""
    return render_template(
        "login/tokens.html",
        form=form,
        made=made,
        tokens=api_tokens(session, account().id),
        scopes={each.value: name for each, (name, _) in SCOPES.items()},
        names={company.id: company.name for company in companies},
    )


def _make(form: TokenForm) -> str:
    """Return the text of the new token; "" if none was made. The form says why."""
    who, texts = actor(), list[str]()
    user_id = account().id

    def act(session: Session, typed: dict[str, Any]) -> int:
        token, text = make_api_token(session, session.get_one(User, user_id), **typed)
        texts.append(text)
        detail = token.scopes
        record(session, who, Action.API_TOKEN_MADE, subject=f"token_{token.id}", detail=detail)
        return token.id

    saved = form.save(act)
    if saved is None:
        return ""
    if not saved[1]:
        form.form_errors.append(
            "O token já tinha sido criado, e só a resposta anterior o mostrou. Se não o copiou, "
            "revogue-o e crie outro."
        )
        return ""
    return texts[-1]


@blueprint.route("/conta/tokens/<token:token_id>/revogar", methods=["GET", "POST"])
def revoke(token_id: int) -> str | Response:
    """Say what revoking does; revoke the token once that is confirmed."""
    token = db.session.get(ApiToken, token_id)
    if token is None or not (account().is_admin or token.user_id == account().id):
        abort(404)
    if request.method == "GET":
        return render_template("login/token_revoke.html", token=token)
    who = actor()

    def job(session: Session) -> bool:
        done = find_api_token(session, token_id).revoke()
        if done:
            record(session, who, Action.API_TOKEN_REVOKED, subject=f"token_{token_id}")
        return done

    flash("O token foi revogado: não abre mais nada." if write(job) else "O token já não valia.")
    return redirect(url_for("api_tokens.show"), code=303)
