"""The companies: the list, and one of them live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.troubles.rates import rates
from webhookproxy.web.charts.pages import arrival_charts
from webhookproxy.web.charts.windows import chosen_window, ended_by_slot, events_by_slot
from webhookproxy.web.companies.list_filter import ORDERS, STATES, CompanyFilter
from webhookproxy.web.companies.problems import OF_COMPANY, Problem, answered, state_of
from webhookproxy.web.connection.gaps import gaps_of_a_day
from webhookproxy.web.connection.panel import is_never_connected, shown_now
from webhookproxy.web.connection.second_socket import shown_second
from webhookproxy.web.events.arrivals import latest_arrivals
from webhookproxy.web.outages.listing import latest_outages
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import (
    COMPANIES_MAX,
    LOOKED_AT,
    company_or_404,
    list_companies,
    readers,
)
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
    """List the companies this account may see, or those that are asked for."""
    session, chosen = db.session(), CompanyFilter.read(request.args)
    read = list_companies(session, chosen.search, LOOKED_AT)
    state = state_of(session, read)
    found = chosen.chosen(state)
    rows = found[:COMPANIES_MAX]
    since = figures.first_hour_of_today(DEFAULT_TIMEZONE)
    problems = {each.id: chosen.problems_of(state, each) for each in rows}
    told = [each for found in problems.values() for each in found[:OF_COMPANY]]
    if chosen.order != "pior":
        told = []
    causes = {each.alike: each.name for each in state.all_problems}
    return render_template(
        "companies/index.html",
        chosen=chosen,
        rows=rows,
        shown=state.connections,
        webhooks=state.webhooks,
        problems=problems,
        told=_by_company(answered(session, told)),
        cause=causes.get(chosen.cause, "este problema"),
        states=STATES,
        orders=ORDERS,
        today=figures.events_by_company(session, [each.id for each in rows], since),
        more=len(found) > COMPANIES_MAX or len(read) == LOOKED_AT,
    )


def _by_company(problems: Sequence[Problem]) -> dict[int, list[Problem]]:
    found: dict[int, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.company.id, []).append(problem)
    return found


@blueprint.get("/empresas/<company:company_id>")
@readers
def show(company_id: int) -> str:
    """Show one company: its connection, its webhooks, its gaps, what is arriving."""
    company = company_or_404(company_id)
    janela = request.args.get("janela")
    live_url = url_for("companies.watch", company_id=company_id, janela=janela)
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
    window = chosen_window()
    events = events_by_slot(session, window, [company.id])
    ended = ended_by_slot(session, window, [each.id for each in webhooks])
    shown = shown_now(session, [company])[company.id]
    return {
        "company": company,
        "window": window,
        "never_connected": is_never_connected(company),
        "shown": shown,
        "second": shown_second(session, company, shown),
        "webhooks": with_answers(
            session, [shown_webhook(each, company.timezone) for each in webhooks]
        ),
        "rates": rates(session, [each.id for each in webhooks], figures.this_hour() - 23),
        "outages": latest_outages(session, webhooks, company.timezone, 1, OUTAGES_SHOWN),
        "charts": arrival_charts(window, events, ended, company.id),
        "gaps": gaps_of_a_day(session, company.id),
        "arrivals": latest_arrivals(session, company.id),
    }
