"""A company is created, edited or deleted."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models.audit import Action, record_company, record_company_edit
from webhookproxy.models.companies import (
    create_company,
    delete_company,
    edit_company,
    find_company,
)
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.rules.companies import CompanyInput, changed_company
from webhookproxy.web.companies.forms import CompanyForm, DeletionForm
from webhookproxy.web.shared.access import actor, administrators, company_or_404
from webhookproxy.web.shared.forms import Conflict, policy, write

blueprint = Blueprint("company_editing", __name__)


@blueprint.route("/empresas/nova", methods=["GET", "POST"])
@administrators
def create() -> str | Response:
    """Register a company."""
    form = CompanyForm()
    form.offer()
    if form.validate_on_submit():
        allowed, who = policy(), actor()

        def act(session: Session, typed: dict[str, Any]) -> int:
            made = create_company(session, CompanyInput(**{"token": "", **typed}), allowed).id
            record_company(session, who, Action.COMPANY_CREATED, made)
            return made

        if saved := form.save(act):
            flash("A empresa foi cadastrada. Agora crie um webhook e clique em Conectar.")
            return redirect(url_for("companies.show", company_id=saved[0]), code=303)
    return render_template("companies/form.html", form=form, company=None)


@blueprint.route("/empresas/<company:company_id>/editar", methods=["GET", "POST"])
@administrators
def edit(company_id: int) -> str | Response:
    """Change a company. If someone else did meanwhile, refuse and show both versions."""
    company = company_or_404(company_id)
    form = CompanyForm()
    form.offer(company)
    if request.method == "GET" and not form.recovered:
        form.fill(company)
    if form.validate_on_submit():
        allowed, who = policy(), actor()

        def act(session: Session, typed: dict[str, Any]) -> int:
            found = find_company(session, company_id)
            form.check_version(found)
            before = found.input()
            edit_company(session, found, changed_company(before, typed, allowed), allowed)
            record_company_edit(session, who, before, found)
            return company_id

        try:
            if form.save(act, company_id):
                flash("A empresa foi salva.")
                return redirect(url_for("companies.show", company_id=company_id), code=303)
        except Conflict:
            form.show_newer(company_or_404(company_id))
    return render_template("companies/form.html", form=form, company=company)


@blueprint.route("/empresas/<company:company_id>/excluir", methods=["GET", "POST"])
@administrators
def delete(company_id: int) -> str | Response:
    """Say what would be lost; delete the company once its name was typed."""
    company = company_or_404(company_id)
    form = DeletionForm()
    if form.validate_on_submit() and form.names(company):
        who, name = actor(), company.name

        def job(session: Session) -> None:
            delete_company(session, find_company(session, company_id))
            record_company(session, who, Action.COMPANY_DELETED, company_id)

        write(job, company_id)
        flash(f"A empresa {name} foi excluída.")
        return redirect(url_for("companies.index"), code=303)
    webhooks = live_webhooks(db.session(), [company_id])
    waiting = sum(webhook.health.waiting for webhook in webhooks)
    given = {"company": company, "webhooks": webhooks, "waiting": waiting, "form": form}
    return render_template("companies/delete.html", **given)
