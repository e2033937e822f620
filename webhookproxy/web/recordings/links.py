"""The links to a company's recordings: how many open something; they, or one, are revoked."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import ms_now
from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.models.audit import Action, record, record_company
from webhookproxy.models.companies import find_company
from webhookproxy.models.recordings import (
    COUNTED_MAX,
    count_valid_links,
    link_days,
    remove_links,
    revoke_links,
)
from webhookproxy.web.shared.access import actor, administrators, company_or_404
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("recording_links", __name__)


@blueprint.get("/empresas/<company:company_id>/gravacoes")
@administrators
def show(company_id: int) -> str:
    """Say how many links open something now, and offer to revoke them all."""
    company = company_or_404(company_id)
    return render_template(
        "recordings/links.html",
        company=company,
        count=count_valid_links(db.session(), company, ms_now()),
        most=COUNTED_MAX,
        days=link_days(company, current_app.config["RETENTION_DAYS"]),
        has_address=bool(current_app.config["PUBLIC_URL"]),
    )


@blueprint.post("/empresas/<company:company_id>/gravacoes/revogar")
@administrators
def revoke(company_id: int) -> Response:
    """Revoke every link that there is."""
    company_or_404(company_id)
    who = actor()

    def job(session: Session) -> None:
        revoke_links(find_company(session, company_id), ms_now())
        record_company(session, who, Action.COMPANY_CHANGED, company_id, "recordings_revoked")

    write(job, company_id)
    flash("Todos os links de gravações foram revogados: não abrem mais nada.")
    return redirect(url_for("recording_links.show", company_id=company_id), code=303)


@blueprint.post("/eventos/<public_id>/gravacao/revogar")
@administrators
def revoke_one(public_id: str) -> Response:
    """Revoke the link that one event carries, for good."""
    event = db.session.scalar(select(Event).where(Event.public_id == public_id))
    if event is None:
        abort(404)
    who, event_id, company_id = actor(), event.id, company_or_404(event.company_id).id

    def job(session: Session) -> bool:
        action, detail = Action.COMPANY_CHANGED, "recordings_revoked"
        removed = remove_links(session.connection(), [event_id]) > 0
        if removed:
            record(session, who, action, company_id=company_id, subject=public_id, detail=detail)
        return removed

    gone = write(job, company_id)
    flash("O link da gravação foi revogado: não abre mais." if gone else "O link já não valia.")
    return redirect(url_for("events.show", public_id=public_id), code=303)
