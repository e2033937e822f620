"""The panel: whether everything is all right. Problems first, then how much came and went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.connection.panel import Shown, shown_now
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import list_companies, readers, visible_companies
from webhookproxy.web.webhooks.words import ShownWebhook, shown_webhook

blueprint = Blueprint("panel", __name__)

PROBLEMS_MAX = 20
_PARTS = {
    "numeros": "panel/_numbers.html",
    "problemas": "panel/_problems.html",
    "dia": "panel/_day.html",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something the user should look at: a company's connection, or one of its webhooks."""

    company: Company
    connection: Shown | None = None
    webhook: ShownWebhook | None = None


@blueprint.get("/")
@readers
def show() -> str:
    """Show whether everything is all right."""
    return render_template("panel/show.html", live_url=url_for("panel.watch"), **_facts())


@blueprint.get("/ao-vivo")
@readers
def watch() -> Response:
    """Stream the panel as it changes."""
    return live.stream(_facts, _PARTS, visible_companies(db.session()))


def _facts() -> dict[str, Any]:
    session = db.session()
    rows = list_companies(session)
    ids = [company.id for company in rows]
    webhooks = _webhooks(session, rows)
    webhook_ids = [each.webhook.id for each in webhooks]
    shown = shown_now(session, rows)
    connections = [(company, shown[company.id]) for company in rows]
    problems = _problems(connections, webhooks)
    since = min(figures.first_hour_of_today(DEFAULT_TIMEZONE), figures.this_hour() - 23)
    events = figures.events_by_hour(session, ids, since)
    ended = figures.deliveries_by_outcome(session, webhook_ids, since)
    return {
        "companies": rows,
        "timezone": DEFAULT_TIMEZONE,
        "connected": sum(each.is_connected for _, each in connections),
        "wished": sum(company.should_connect for company in rows),
        "problems": problems[:PROBLEMS_MAX],
        "more_problems": max(0, len(problems) - PROBLEMS_MAX),
        "waiting": sum(each.webhook.health.waiting for each in webhooks),
        "webhooks": webhooks,
        **_today(events, ended),
        "bars_of_day": figures.last_day(events, figures.by_hour(ended, figures.FAILED)),
    }


def _webhooks(session: Session, companies: list[Company]) -> list[ShownWebhook]:
    timezones = {company.id: company.timezone for company in companies}
    rows = live_webhooks(session, timezones)
    return [shown_webhook(webhook, timezones[webhook.company_id]) for webhook in rows]


def _problems(
    connections: list[tuple[Company, Shown]], webhooks: list[ShownWebhook]
) -> list[Problem]:
    """Return companies without a socket, then failing webhooks, then silent companies."""
    by_id = {company.id: company for company, _ in connections}
    found = [Problem(company, connection=each) for company, each in connections if each.is_problem]
    failing = [
        Problem(by_id[each.webhook.company_id], webhook=each)
        for each in webhooks
        if each.is_problem
    ]
    cut_off = [each for each in found if each.connection and not each.connection.silence]
    silent = [each for each in found if each.connection and each.connection.silence]
    return cut_off + failing + silent


def _today(events: dict[int, int], ended: dict[tuple[int, str], int]) -> dict[str, int]:
    since = figures.first_hour_of_today(DEFAULT_TIMEZONE)
    today = [(outcome, count) for (hour, outcome), count in ended.items() if hour >= since]
    return {
        "events_today": sum(count for hour, count in events.items() if hour >= since),
        "delivered_today": sum(count for outcome, count in today if outcome == "delivered"),
        "failed_today": sum(count for outcome, count in today if outcome in figures.FAILED),
    }
