"""The lists as CSV files, each with the filter of its list; payloads are in none of them."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request, url_for

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.audit import Action, record
from webhookproxy.web.admin.audit import Chosen
from webhookproxy.web.deliveries.list_filter import Filter
from webhookproxy.web.events.list_filter import EventFilter
from webhookproxy.web.exports import gap_rows, rows
from webhookproxy.web.exports.csv_sheet import Sheet, send
from webhookproxy.web.month.page import asked_month
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import (
    account,
    actor,
    administrators,
    company_or_404,
    refuse_other_sites,
)
from webhookproxy.web.shared.address import digits
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("exports", __name__)


@blueprint.get("/entregas.csv")
def deliveries() -> Response:
    """Send the deliveries that the address asks for, newest first."""
    chosen = Filter.read(request.args, db.session())
    name = _begin("deliveries", "entregas", chosen.company)
    wanted, of = replace(chosen.wanted(), after=None), chosen.webhooks
    base = url_for("deliveries.index", _external=True) + chosen.query(antes="delivery_")
    return send(
        Sheet(
            name,
            rows.DELIVERIES,
            lambda before, most: rows.deliveries(replace(wanted, before=before), of, most),
            lambda before: f"{base}{before}",
            wanted.before,
        )
    )


@blueprint.get("/eventos.csv")
def events() -> Response:
    """Send the events that the address asks for, newest first."""
    chosen = EventFilter.read(request.args, db.session())
    name = _begin("events", "eventos", chosen.company)
    question, of = replace(chosen.question(db.session()), after=None), chosen.companies
    # What was searched for is often a telephone: it goes into no file.
    also = " com a mesma busca" if chosen.words else ""
    query = chosen.query(busca=None, antes="event_")
    base = url_for("events.index", _external=True) + query
    return send(
        Sheet(
            name,
            rows.EVENTS,
            lambda before, most: rows.events(replace(question, before=before), of, most),
            lambda before: f"{base}{before}{also}",
            question.before,
        )
    )


@blueprint.get("/empresas/<company:company_id>/lacunas.csv")
def gaps(company_id: int) -> Response:
    """Send the gaps of the month that the address names, or of the current one, newest first."""
    company = company_or_404(company_id)
    month, text = asked_month(company), request.args.get("antes", "")
    base = url_for("exports.gaps", company_id=company_id, mes=month.text, _external=True)
    return send(
        Sheet(
            f"{_begin('gaps', 'lacunas', company)}-mes-{month.text}",
            gap_rows.GAPS,
            lambda before, most: gap_rows.gaps(company_id, month, before, most),
            lambda before: f"{base}&antes={before}",
            digits(text) if text else None,
        )
    )


@blueprint.get("/auditoria.csv")
@administrators
def entries() -> Response:
    """Send the entries of the audit that the address asks for, newest first."""
    chosen = Chosen.read(request.args)
    base = url_for("audit.index", _external=True)
    return send(
        Sheet(
            _begin("audit", "auditoria", None),
            rows.AUDIT,
            lambda before, most: rows.audit_entries(chosen, before, most),
            lambda before: base + chosen.query(before),
            chosen.before,
        )
    )


def _begin(what: str, list_name: str, company: Company | None) -> str:
    """Write down who takes what, without which nothing is sent; return the name of the file."""
    refuse_other_sites()
    throttle.limit("export", str(account().id))
    who, company_id = actor(), None if company is None else company.id
    write(lambda session: record(session, who, Action.EXPORT, company_id=company_id, detail=what))
    whose = "" if company_id is None else f"-company_{company_id}"
    return f"{list_name}{whose}-{utc_now():%Y-%m-%d}"
