"""The guest links of a company: an administrator makes and revokes them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from webhookproxy.extensions import db
from webhookproxy.models import GuestLink
from webhookproxy.models.accounts.guest_links import (
    DAYS_MAX,
    find_guest_link,
    guest_links,
    make_guest_link,
)
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.web.shared.access import actor, administrators, company_or_404
from webhookproxy.web.shared.forms import StoredForm, choices, write

blueprint = Blueprint("guest_links", __name__)

_DAYS = {1: "1 dia", 7: "7 dias", 15: "15 dias", DAYS_MAX: f"{DAYS_MAX} dias"}


class LinkForm(StoredForm):
    """A link to make."""

    name = StringField(
        "Para quem", description="Como a gerente da Televendas; só aparece aqui, para você saber."
    )
    days = SelectField("Vale por", choices=choices({str(n): said for n, said in _DAYS.items()}))

    def typed(self) -> dict[str, Any]:
        """Return the name and the number of days."""
        return {"name": str(self.name.data or ""), "days": int(str(self.days.data))}


@blueprint.route("/empresas/<company:company_id>/convidados", methods=["GET", "POST"])
@administrators
def show(company_id: int) -> str:
    """List the links; make one, and show it in this one answer."""
    company = company_or_404(company_id)
    form = LinkForm(data={"days": "7"} if request.method == "GET" else None)
    made = ""
    if form.validate_on_submit():
        made = _make(form, company_id)
    links = guest_links(db.session(), company_id)
    return render_template("guests/links.html", company=company, form=form, links=links, made=made)


def _make(form: LinkForm, company_id: int) -> str:
    """Return the address of the new link; "" if none was made. The form says why."""
    who, tokens = actor(), list[str]()

    def act(session: Session, typed: dict[str, Any]) -> int:
        link, token = make_guest_link(session, company_id, **typed)
        tokens.append(token)
        _record(session, who, Action.GUEST_LINK_MADE, link, f"{typed['days']} days")
        return link.id

    saved = form.save(act)
    if saved is None:
        return ""
    if not saved[1]:
        form.form_errors.append(
            "O link já tinha sido criado, e só a resposta anterior o mostrou. Se não o copiou, "
            "revogue-o e crie outro."
        )
        return ""
    return url_for("guests.door", token=tokens[-1], _external=True)


@blueprint.route("/convidados/<guest:guest_id>/revogar", methods=["GET", "POST"])
@administrators
def revoke(guest_id: int) -> str | Response:
    """Say what revoking does; revoke the link once that is confirmed."""
    link = db.session.get(GuestLink, guest_id)
    if link is None:
        abort(404)
    company = company_or_404(link.company_id)
    if request.method == "GET":
        return render_template("guests/revoke.html", company=company, link=link)
    who, company_id = actor(), company.id

    def job(session: Session) -> bool:
        found = find_guest_link(session, guest_id)
        done = found.revoke()
        if done:
            _record(session, who, Action.GUEST_LINK_REVOKED, found)
        return done

    flash("O link foi revogado: não abre mais nada." if write(job) else "O link já não valia.")
    return redirect(url_for("guest_links.show", company_id=company_id), code=303)


def _record(
    session: Session, who: Actor, action: Action, link: GuestLink, detail: str = ""
) -> None:
    subject = f"guest_{link.id}"
    record(session, who, action, company_id=link.company_id, subject=subject, detail=detail)
