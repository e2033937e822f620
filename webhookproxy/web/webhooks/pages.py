"""A webhook's page, live, and the end of a webhook."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import utc_now
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, record_webhook
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.models.deliveries.bulk_resends import running
from webhookproxy.models.webhooks import delete_webhook, find_webhook
from webhookproxy.search.deliveries import Wanted
from webhookproxy.troubles.rates import rates
from webhookproxy.web.charts.pages import delivery_charts
from webhookproxy.web.charts.windows import chosen_window, ended_by_slot, latency_by_slot
from webhookproxy.web.connection.panel import shown
from webhookproxy.web.deliveries.listing import find_deliveries
from webhookproxy.web.deliveries.resend_request import SINCE, STATES, ResendRequest
from webhookproxy.web.deliveries.send_stored import StoredRequest
from webhookproxy.web.deliveries.words import shown_words
from webhookproxy.web.outages.listing import latest_outages
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import (
    actor,
    administrators,
    company_or_404,
    readers,
    webhook_or_404,
)
from webhookproxy.web.shared.forms import write
from webhookproxy.web.webhooks.refusals import latest_refusals
from webhookproxy.web.webhooks.settings import settings_of
from webhookproxy.web.webhooks.words import shown_webhook, with_answers

blueprint = Blueprint("webhooks", __name__)

LATEST = 8
# The days for which the last outage is shown.
OUTAGE_DAYS = 7
_PARTS = {
    "situacao": "webhooks/_state.html",
    "queda": "outages/_card.html",
    "numeros": "webhooks/_numbers.html",
    "recusas": "webhooks/refusals/_section.html",
    "entregas": "webhooks/_latest.html",
}


@blueprint.get("/webhooks/<webhook:webhook_id>")
@readers
def show(webhook_id: int) -> str:
    """Show one webhook: whether it delivers, what waits, what was sent last, how to verify it."""
    live_url = url_for("webhooks.watch", webhook_id=webhook_id, janela=request.args.get("janela"))
    webhook = webhook_or_404(webhook_id)
    return render_template(
        "webhooks/show.html", live_url=live_url, **settings_of(webhook), **_facts(webhook)
    )


@blueprint.get("/webhooks/<webhook:webhook_id>/ao-vivo")
@readers
def watch(webhook_id: int) -> Response:
    """Stream the page of a webhook as it changes."""
    companies = frozenset({webhook_or_404(webhook_id).company_id})
    return live.stream(lambda: _facts(webhook_or_404(webhook_id)), _PARTS, companies)


def _facts(webhook: Webhook) -> dict[str, Any]:
    session = db.session()
    company = company_or_404(webhook.company_id)
    since = figures.this_hour() - 23
    window = chosen_window()
    ended = ended_by_slot(session, window, [webhook.id])
    took = latency_by_slot(session, window, webhook.id)
    rows = find_deliveries(session, Wanted([webhook.id]), LATEST).rows
    return {
        "webhook": webhook,
        "company": company,
        "connection": shown(company, read_owners(session)),
        "shown": with_answers(session, [shown_webhook(webhook, company.timezone)])[0],
        "rate": rates(session, [webhook.id], since)[webhook.id],
        "twice_until": webhook.signs_twice_until(utc_now()),
        "latency": figures.latency(session, webhook.id, since),
        "window": window,
        "charts": delivery_charts(window, ended, took, webhook.id),
        "running": running(session, webhook.id),
        "resend": ResendRequest(),
        "stored": StoredRequest(),
        "since_words": SINCE,
        "state_words": STATES,
        "outages": latest_outages(session, [webhook], company.timezone, OUTAGE_DAYS, 1),
        "refusals": latest_refusals(session, webhook.id, company.timezone),
        "rows": rows,
        "facts": facts_of_events(session, [row.event_id for row in rows]),
        "words": {
            row.id: shown_words(row, webhook, company.timezone, row.received_ms) for row in rows
        },
    }


@blueprint.route("/webhooks/<webhook:webhook_id>/excluir", methods=["GET", "POST"])
@administrators
def delete(webhook_id: int) -> str | Response:
    """Say what would be lost; delete the webhook once that is confirmed."""
    webhook = webhook_or_404(webhook_id)
    company_id, name = webhook.company_id, webhook.name
    if request.method == "POST":
        who = actor()

        def job(session: Session) -> None:
            delete_webhook(session, find_webhook(session, webhook_id))
            record_webhook(session, who, Action.WEBHOOK_DELETED, company_id, webhook_id)

        write(job, company_id)
        flash(f"O webhook {name} foi excluído.")
        return redirect(url_for("companies.show", company_id=company_id), code=303)
    return render_template("webhooks/delete.html", webhook=webhook)
