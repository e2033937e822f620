"""The lists as CSV files, each with the filter of its list; payloads are in none of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, request, url_for
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.audit import Action, record
from webhookproxy.web.admin import audit
from webhookproxy.web.deliveries.address import Filter
from webhookproxy.web.events.address import EventFilter
from webhookproxy.web.exports import rows as sheet_rows
from webhookproxy.web.exports.csv_sheet import Sheet, send
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import account, actor, administrators

blueprint = Blueprint("exports", __name__)


@blueprint.get("/entregas.csv")
def deliveries() -> Response:
    """The deliveries that match what the address asks for, newest first."""
    throttle.limit("export", str(account().id))
    chosen = Filter.read(request.args, db.session())
    wanted, of = replace(chosen.wanted(), after=None), chosen.webhooks
    base, query = url_for("deliveries.index", _external=True), chosen.query(antes="{}")
    name = _begin("deliveries", "entregas", chosen.company)
    return send(
        Sheet(
            name,
            sheet_rows.DELIVERIES,
            lambda before, most: sheet_rows.deliveries(replace(wanted, before=before), of, most),
            lambda before: base + query.replace("%7B%7D", f"delivery_{before}"),
            wanted.before,
        )
    )


@blueprint.get("/eventos.csv")
def events() -> Response:
    """The events that match what the address asks for, newest first."""
    throttle.limit("export", str(account().id))
    chosen = EventFilter.read(request.args, db.session())
    question, of = replace(chosen.question(db.session()), after=None), chosen.companies
    base, searched = url_for("events.index", _external=True), bool(chosen.words)
    # What was searched for is often a telephone: it goes into no file.
    query = chosen.query(busca=None, antes="{}")
    also = " com a mesma busca" if searched else ""
    name = _begin("events", "eventos", chosen.company)
    return send(
        Sheet(
            name,
            sheet_rows.EVENTS,
            lambda before, most: sheet_rows.events(replace(question, before=before), of, most),
            lambda before: base + query.replace("%7B%7D", f"event_{before}") + also,
            question.before,
        )
    )


@blueprint.get("/auditoria.csv")
@administrators
def entries() -> Response:
    """The entries of the audit that match what the address asks for, newest first."""
    throttle.limit("export", str(account().id))
    chosen = audit.Chosen.read(request.args)
    base = url_for("audit.index", _external=True)
    return send(
        Sheet(
            _begin("audit", "auditoria", None),
            sheet_rows.AUDIT,
            lambda before, most: sheet_rows.audit_entries(chosen, before, most),
            lambda before: base + chosen.query(before),
            chosen.before,
        )
    )


def _begin(what: str, list_name: str, company: Company | None) -> str:
    """Write down who takes what, without which nothing is given; the name of the file."""
    who, company_id = actor(), None if company is None else company.id

    def job(session: Session) -> None:
        record(session, who, Action.EXPORT, company_id=company_id, detail=what)

    store: Store = current_app.extensions["store"]
    store.session(job)
    parts = (
        list_name,
        f"company_{company_id}" if company_id else "",
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    return "-".join(filter(None, parts))
