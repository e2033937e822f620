"""The panel: whether everything is all right: five numbers, then the problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.alerts.history import unsent
from webhookproxy.web.charts.pages import arrival_charts
from webhookproxy.web.charts.windows import HOUR, chosen_window, ended_by_slot, events_by_slot
from webhookproxy.web.companies.open_problems import remember
from webhookproxy.web.companies.problems import Problem, answered, grouped, state_of
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import LOOKED_AT, list_companies, readers, visible_companies

blueprint = Blueprint("panel", __name__)

# Up to this number problems are shown in full, one by one.
IN_FULL = 3
GROUPS_MAX = 20
_PARTS = {
    "numeros": "panel/_numbers.html",
    "problemas": "panel/_problems.html",
    "dia": "panel/_day.html",
}


@blueprint.get("/")
@readers
def show() -> str:
    """Show whether everything is all right."""
    return render_template(
        "panel/show.html",
        live_url=url_for("panel.watch", janela=request.args.get("janela")),
        **_facts(),
    )


@blueprint.get("/ao-vivo")
@readers
def watch() -> Response:
    """Stream the panel as it changes."""
    return live.stream(_facts, _PARTS, visible_companies(db.session()))


def _facts() -> dict[str, Any]:
    session = db.session()
    rows = list_companies(session, most=LOOKED_AT)
    state = state_of(session, rows)
    webhooks = [each for found in state.webhooks.values() for each in found]
    since = min(figures.first_hour_of_today(DEFAULT_TIMEZONE), figures.this_hour() - 23)
    events = figures.events_by_hour(session, list(state.connections), since)
    ended = figures.deliveries_by_outcome(session, [each.webhook.id for each in webhooks], since)
    window, in_window = chosen_window(), (events, ended)
    if window is HOUR:
        in_window = (
            events_by_slot(session, window, list(state.connections)),
            ended_by_slot(session, window, [each.webhook.id for each in webhooks]),
        )
    return {
        "companies": rows,
        "is_cut": len(rows) == LOOKED_AT,
        "unsent": unsent(session),
        "timezone": DEFAULT_TIMEZONE,
        "connected": sum(each.is_connected for each in state.connections.values()),
        "wished": sum(company.should_connect for company in rows),
        **_problems(session, state.all_problems),
        "waiting": sum(each.webhook.health.waiting for each in webhooks),
        "webhooks": webhooks,
        **_today(events, ended),
        "window": window,
        "charts": arrival_charts(window, *in_window),
    }


def _problems(session: Session, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return a few problems in full, and more of them as groups with the worst of each."""
    remember(len(problems))
    groups = grouped(problems)
    told = problems if len(problems) <= IN_FULL else []
    return {
        "open_problems": len(problems),
        "problems": answered(session, told),
        "groups": groups[:GROUPS_MAX],
        "more_groups": max(0, len(groups) - GROUPS_MAX),
    }


def _today(events: dict[int, int], ended: dict[tuple[int, str], int]) -> dict[str, int]:
    since = figures.first_hour_of_today(DEFAULT_TIMEZONE)
    today = [(outcome, count) for (hour, outcome), count in ended.items() if hour >= since]
    return {
        "events_today": sum(count for hour, count in events.items() if hour >= since),
        "delivered_today": sum(count for outcome, count in today if outcome == "delivered"),
        "failed_today": sum(count for outcome, count in today if outcome in figures.FAILED),
    }
