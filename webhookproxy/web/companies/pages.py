"""The companies: the list, and one of them live."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Company, Webhook
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.connection.gaps import gaps_of_a_day
from webhookproxy.web.connection.panel import is_never_connected, shown_now
from webhookproxy.web.events.arrivals import latest_arrivals
from webhookproxy.web.outages.listing import latest_outages
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import COMPANIES_MAX, company_or_404, list_companies, readers
from webhookproxy.web.webhooks.words import shown_webhook, with_answers

blueprint = Blueprint("companies", __name__)

# Outages of the last 24 hours that are listed.
OUTAGES_SHOWN = 10

_PARTS = {
    "conexao": "connection/_panel.html",
    "dia": "companies/_day.html",
    "webhooks": "companies/_webhooks.html",
    "quedas": "companies/_outages.html",
    "lacunas": "connection/_gaps.html",
    "chegadas": "companies/_arrivals.html",
}


@blueprint.get("/empresas")
@readers
def index() -> str:
    """List the companies this account may see, or those that fit what is searched for."""
    search = request.args.get("busca", "").strip()[:120]
    rows = list_companies(db.session(), search)
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
        more=len(rows) == COMPANIES_MAX,
    )


@blueprint.get("/empresas/<company:company_id>")
@readers
def show(company_id: int) -> str:
    """Show one company: its connection, its webhooks, its gaps, what is arriving."""
    company = company_or_404(company_id)
    live_url = url_for("companies.watch", company_id=company_id)
    return render_template("companies/show.html", live_url=live_url, **_facts(company))


@blueprint.get("/empresas/<company:company_id>/ao-vivo")
@readers
def watch(company_id: int) -> Response:
    """Stream the page of a company as it changes."""
    company_or_404(company_id)
    companies = frozenset({company_id})
    return live.stream(lambda: _facts(company_or_404(company_id)), _PARTS, companies)


def _facts(company: Company) -> dict[str, Any]:
    session = db.session()
    webhooks = live_webhooks(session, [company.id])
    since = figures.this_hour() - 23
    events = figures.events_by_hour(session, [company.id], since)
    ended = figures.deliveries_by_outcome(session, [each.id for each in webhooks], since)
    return {
        "company": company,
        "never_connected": is_never_connected(company),
        "shown": shown_now(session, [company])[company.id],
        "webhooks": with_answers(
            session, [shown_webhook(each, company.timezone) for each in webhooks]
        ),
        "bars_of_day": figures.last_day(events, figures.by_hour(ended, figures.FAILED)),
        "outages": latest_outages(session, webhooks, company.timezone, 1, OUTAGES_SHOWN),
        "gaps": gaps_of_a_day(session, company.id),
        "arrivals": latest_arrivals(session, company.id),
    }
