"""The companies: the list, one of them live, the form, the end of one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Company, Webhook
from webhookproxy.models.audit import Action, record, record_edit
from webhookproxy.models.companies import (
    create_company,
    delete_company,
    edit_company,
    find_company,
)
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.rules import Refused
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.companies.forms import CompanyForm
from webhookproxy.web.connection.panel import gaps_of_a_day, shown_now
from webhookproxy.web.events import arrivals
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import actor, administrators, company_or_404, visible_companies
from webhookproxy.web.shared.forms import Conflict, policy, write
from webhookproxy.web.webhooks.health import shown_webhook

blueprint = Blueprint("companies", __name__)

LIST_MAX = 200


@blueprint.get("/empresas")
def index() -> str:
    """The companies this account may see; by name or 3C Plus id if something is searched for."""
    search = request.args.get("busca", "").strip()[:120]
    rows = visible(db.session(), search)
    shown = shown_now(db.session(), rows)
    ids = [company.id for company in rows]
    since = figures.first_hour_of_today(DEFAULT_TIMEZONE)
    webhooks: dict[int, list[Webhook]] = {company_id: [] for company_id in ids}
    for webhook in live_webhooks(db.session(), ids):
        webhooks[webhook.company_id].append(webhook)
    return render_template(
        "companies/index.html",
        rows=[(company, shown[company.id], webhooks[company.id]) for company in rows],
        today=figures.events_by_company(db.session(), ids, since),
        search=search,
        more=len(rows) == LIST_MAX,
    )


def visible(session: Session, search: str = "") -> list[Company]:
    """Companies this account may see, by name, LIST_MAX at most."""
    query = (
        select(Company)
        .where(Company.deleted_at.is_(None))
        .options(joinedload(Company.connection))
        .order_by(Company.name, Company.id)
        .limit(LIST_MAX)
    )
    allowed = visible_companies(session)
    if allowed is not None:
        query = query.where(Company.id.in_(allowed))
    if search:
        contains = Company.name.icontains(search, autoescape=True)
        query = query.where(or_(contains, Company.threec_id == search))
    return list(session.scalars(query))


@blueprint.get("/empresas/<company:company_id>")
def show(company_id: int) -> str:
    """One company: its connection, its webhooks, its gaps, what is arriving."""
    company = company_or_404(company_id)
    live_url = url_for("companies.watch", company_id=company_id)
    return render_template("companies/show.html", live_url=live_url, **_facts(company))


@blueprint.get("/empresas/<company:company_id>/ao-vivo")
def watch(company_id: int) -> Response:
    """The same, as it changes."""
    company_or_404(company_id)

    def draw() -> live.Parts:
        facts = _facts(company_or_404(company_id))
        return {
            "aviso": render_template("connection/alarms.html"),
            "conexao": render_template("connection/_panel.html", **facts),
            "dia": render_template("companies/_day.html", **facts),
            "webhooks": render_template("companies/_webhooks.html", **facts),
            "lacunas": render_template("connection/_gaps.html", **facts),
            "chegadas": render_template("companies/_arrivals.html", **facts),
        }

    return live.stream(draw, frozenset({company_id}))


def _facts(company: Company) -> dict[str, Any]:
    session = db.session()
    webhooks = live_webhooks(session, [company.id])
    since = figures.this_hour() - 23
    events = figures.events_by_hour(session, [company.id], since)
    ended = figures.deliveries_by_outcome(session, [each.id for each in webhooks], since)
    return {
        "company": company,
        "shown": shown_now(session, [company])[company.id],
        "webhooks": [shown_webhook(each, company.timezone) for each in webhooks],
        "bars_of_day": figures.last_day(events, figures.by_hour(ended, figures.FAILED)),
        "gaps": gaps_of_a_day(session, company.id),
        "arrivals": arrivals.latest(session, company.id),
    }


@blueprint.route("/empresas/nova", methods=["GET", "POST"])
@administrators
def create() -> str | Response:
    """Register a company."""
    form = CompanyForm()
    form.offer()
    if form.validate_on_submit():
        allowed, who = policy(), actor()

        def make(session: Session) -> int:
            made = create_company(session, given, allowed).id
            subject = f"company_{made}"
            record(session, who, Action.COMPANY_CREATED, company_id=made, subject=subject)
            return made

        try:
            given = form.given()
            made = write(lambda session: form.make(session, lambda: make(session)))
        except Refused as refused:
            form.take(refused)
        else:
            flash("A empresa foi cadastrada. Agora crie um webhook e clique em Conectar.")
            return redirect(url_for("companies.show", company_id=made), code=303)
    return render_template("companies/form.html", form=form, company=None, newer={})


@blueprint.route("/empresas/<company:company_id>/editar", methods=["GET", "POST"])
@administrators
def edit(company_id: int) -> str | Response:
    """Change a company; refused, with both versions shown, if somebody else did meanwhile."""
    company = company_or_404(company_id)
    form = CompanyForm()
    form.offer(company)
    newer: dict[str, str] = {}
    if request.method == "GET" and not form.recovered:
        form.fill(company)
    if form.validate_on_submit():
        try:
            _save(company, form)
        except Refused as refused:
            form.take(refused)
        except Conflict:
            newer = _newer(form, company_id)
        else:
            flash("A empresa foi salva.")
            return redirect(url_for("companies.show", company_id=company_id), code=303)
    return render_template("companies/form.html", form=form, company=company, newer=newer)


def _save(company: Company, form: CompanyForm) -> None:
    company_id, allowed, seen, who = company.id, policy(), form.version.data, actor()

    def job(session: Session) -> None:
        found = find_company(session, company_id)
        if str(found.version) != seen:
            raise Conflict
        before = found.input()
        edit_company(session, found, form.given(before), allowed)
        record_edit(
            session,
            who,
            Action.COMPANY_CHANGED,
            before,
            found.input(),
            company_id=company_id,
            subject=f"company_{company_id}",
        )

    write(job, company_id)


def _newer(form: CompanyForm, company_id: int) -> dict[str, str]:
    """What somebody else saved, where it differs; saving once more puts this form over it."""
    db.session.expire_all()
    company = company_or_404(company_id)
    form.version.data = form.version.raw_data = str(company.version)  # type: ignore[assignment]
    form.form_errors.append(
        "Outra pessoa salvou esta empresa enquanto você editava. O que ela salvou está ao lado de "
        "cada campo que mudou; salve de novo para ficar com o que você digitou."
    )
    stored = {
        "name": company.name,
        "threec_id": company.threec_id,
        "agent_id": company.agent_id,
        "host": company.socket_url,
        "timezone": company.timezone,
        "retention_days": str(company.retention_days or ""),
    }
    return {name: text or "(vazio)" for name, text in stored.items() if form[name].data != text}


@blueprint.route("/empresas/<company:company_id>/excluir", methods=["GET", "POST"])
@administrators
def delete(company_id: int) -> str | Response:
    """Say what would be lost; delete it once that is confirmed."""
    company = company_or_404(company_id)
    if request.method == "POST":
        who, subject = actor(), f"company_{company_id}"

        def job(session: Session) -> None:
            delete_company(session, find_company(session, company_id))
            record(session, who, Action.COMPANY_DELETED, company_id=company_id, subject=subject)

        write(job, company_id)
        flash(f"A empresa {company.name} foi excluída.")
        return redirect(url_for("companies.index"), code=303)
    webhooks = live_webhooks(db.session(), [company_id])
    waiting = sum(webhook.health.waiting for webhook in webhooks)
    return render_template(
        "companies/delete.html", company=company, webhooks=webhooks, waiting=waiting
    )
