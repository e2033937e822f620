"""The next token of a company: an administrator lays it ready, tries it, and switches to it."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.listener.client import Address
from webhookproxy.models import Company, NextToken
from webhookproxy.models.accounts.next_tokens import forget, lay_ready, next_token_of, switch
from webhookproxy.models.audit import Action, record_company
from webhookproxy.models.companies import find_company
from webhookproxy.platform.rest import Access, shared_rest
from webhookproxy.platform.token_owner import TokenOwner
from webhookproxy.reasons import CONNECTION_WORDS, ConnectionReason
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import first_token_base, read_expiry
from webhookproxy.web.diagnosis.live import Found, ask
from webhookproxy.web.diagnosis.token_owner import ONLY, OWNER, is_of_another
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import actor, administrators, company_or_404
from webhookproxy.web.shared.forms import (
    NOT_TO_BE_FILLED,
    StoredForm,
    policy,
    write,
    write_or_say,
)

blueprint = Blueprint("next_token", __name__)


class NextTokenForm(StoredForm):
    """A token to lay ready."""

    token = PasswordField(
        "Token novo",
        description="O token que vai substituir o atual. Fica cifrado, e não aparece mais.",
        render_kw=NOT_TO_BE_FILLED,
    )
    token_expires = StringField(
        "Vencimento do token novo (opcional)", description="O dia em que vence, como 31/12/2026."
    )

    def typed(self) -> dict[str, Any]:
        """Return the token and its day. See StoredForm."""
        expires_at = None
        try:
            expires_at = read_expiry(str(self.token_expires.data or ""))
        except Refused as refused:
            self.unread.take(refused)
        return {"token": str(self.token.data or "").strip(), "expires_at": expires_at}


@blueprint.route("/empresas/<company:company_id>/token-novo", methods=["GET", "POST"])
@administrators
def show(company_id: int) -> str | Response:
    """Show the token that is ready and what its trial said; lay one ready, and try it."""
    company, form = company_or_404(company_id), NextTokenForm()
    if form.validate_on_submit():
        allowed, who = policy(), actor()

        def act(session: Session, typed: dict[str, Any]) -> int:
            found = find_company(session, company_id)
            lay_ready(session, found, policy=allowed, actor=who, **typed)
            return company_id

        if form.save(act, company_id):
            _try(company_or_404(company_id))
            return redirect(url_for("next_token.show", company_id=company_id), code=303)
    ready = next_token_of(db.session(), company_id)
    return render_template(
        "diagnosis/next_token.html",
        company=company,
        form=form,
        ready=ready,
        said=_words(company, ready),
    )


@blueprint.post("/empresas/<company:company_id>/token-novo/agora")
@administrators
def act_on(company_id: int) -> Response:
    """Try the token that is ready again, switch to it, or remove it."""
    company, asked = company_or_404(company_id), request.form.get("acao")
    if asked == "testar":
        _try(company)
    elif asked == "descartar":
        _remove(company_id)
    elif asked != "trocar":
        abort(400)
    elif _switch(company_id):
        return redirect(url_for("companies.show", company_id=company_id), code=303)
    return redirect(url_for("next_token.show", company_id=company_id), code=303)


def _switch(company_id: int) -> bool:
    """Switch to the token that is ready, and say so or why not; return whether it was done."""
    allowed, who = policy(), actor()
    is_done = write_or_say(
        lambda session: switch(session, find_company(session, company_id), allowed, who), company_id
    )
    if is_done:
        flash("O token foi trocado: a conexão abre de novo com ele.")
    elif is_done is False:
        flash("Teste o token antes: só um que a 3C Plus aceitou entra no lugar do atual.", "error")
    return bool(is_done)


def _remove(company_id: int) -> None:
    who = actor()

    def job(session: Session) -> None:
        if forget(session, company_id):
            record_company(session, who, Action.NEXT_TOKEN_CHANGED, company_id, "removed")

    write(job, company_id)


def _try(company: Company) -> None:
    """Try the token that is ready, and note what 3C Plus says; without one nothing happens."""
    throttle.limit("diagnosis", throttle.address())
    ready = next_token_of(db.session(), company.id)
    if ready is None:
        return
    token, company_id, allowed = ready.token, company.id, policy()
    address = Address(company.socket_url, token, company.agent_id)
    base = first_token_base(company.input(), allowed)
    access = Access(company.id, base, token, company.agent_id)
    me = partial(shared_rest(current_app.extensions).me, access)
    # Hold no transaction while waiting for the answers.
    db.session.rollback()
    found = ask(address, [], allowed, {OWNER: me} if base else {})
    write(partial(_note, company_id=company_id, token=token, found=found), company_id)


def _note(session: Session, company_id: int, token: str, found: Found) -> None:
    row = next_token_of(session, company_id)
    if row is None or row.token != token:
        # Another one was laid ready while this one was tried.
        return
    owner = found.owners.get(OWNER)
    known = owner if isinstance(owner, TokenOwner) else TokenOwner()
    row.tried_at = utc_now()
    row.answer = (found.token or ConnectionReason.HANDSHAKE_TIMEOUT).value
    row.role, row.organisation = known.role or None, known.company_id or None


def _words(company: Company, ready: NextToken | None) -> str:
    """Return what the trial said, in sentences; empty if there was none."""
    if ready is None or ready.answer is None:
        return ""
    if ready.is_refused:
        return "A 3C Plus recusou o token: ele não existe, venceu ou foi revogado."
    if not ready.is_accepted:
        again = "Teste de novo: só um token aceito no teste entra sozinho."
        return f"{CONNECTION_WORDS[ConnectionReason(ready.answer)].what} {again}"
    words = ["A 3C Plus aceitou uma conexão com ele."]
    if ready.role:
        words.append(f"É de um {ready.role}.")
    if only := ONLY.get(ready.role or ""):
        words.append(only)
    if is_of_another(company, ready.organisation or ""):
        words.append(
            f"Atenção: é da organização {ready.organisation}, e o ID 3C Plus cadastrado aqui é "
            f"{company.threec_id}."
        )
    return " ".join(words)
