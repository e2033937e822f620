"""Bulk resends of a webhook: what would be resent, the request, its progress, its end."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webhookproxy.database.clock import ms_now
from webhookproxy.delivery.outcomes.resending import queue_capacity
from webhookproxy.extensions import db
from webhookproxy.models import RefusalGroup, Webhook
from webhookproxy.models.deliveries.bulk_resends import (
    BulkResend,
    BulkState,
    begin,
    cancel,
    hold,
    running,
)
from webhookproxy.models.deliveries.missed import Counted, Wanted, count
from webhookproxy.rules import Refused
from webhookproxy.web.deliveries.bulk_words import asked_words, shown_bulk, span_words
from webhookproxy.web.deliveries.facts import public_ids_of
from webhookproxy.web.deliveries.resend_request import SINCE, STATES, ResendRequest
from webhookproxy.web.deliveries.words import refusal_words
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import actor, company_or_404, webhook_or_404
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("bulk_resends", __name__)

_PARTS = {"andamento": "deliveries/resends/_progress.html"}


@blueprint.route("/webhooks/<webhook:webhook_id>/reenviar", methods=["GET", "POST"])
def ask(webhook_id: int) -> str | Response:
    """Say how much did not arrive and how long a resend takes; resend once that is confirmed."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    is_asked = request.method == "POST"
    asked = ResendRequest.read(request.form if is_asked else request.args, company.timezone)
    group = _group_or_404(asked.group, webhook_id)
    if is_asked and not asked.problem:
        wanted = asked.wanted(webhook_id)
        back = url_for("bulk_resends.ask", webhook_id=webhook_id) + asked.query
        return start(webhook, wanted, count(db.session(), wanted), back)
    counted = None if asked.problem else count(db.session(), asked.wanted(webhook_id))
    return render_template(
        "deliveries/resends/ask.html",
        webhook=webhook,
        company=company,
        resend=asked,
        group=group,
        group_said="" if group is None else refusal_words(group),
        counted=counted,
        takes=span_words(counted.count, webhook.rate_limit) if counted else "",
        held=hold(webhook),
        running=running(db.session(), webhook_id),
        since_words=SINCE,
        state_words=STATES,
    )


def _group_or_404(group_id: int | None, webhook_id: int) -> RefusalGroup | None:
    """Return the group of refusals that is asked for, if any; it must be one of this webhook."""
    group = None if group_id is None else db.session.get(RefusalGroup, group_id)
    if group_id is not None and (group is None or group.webhook_id != webhook_id):
        abort(404)
    return group


def start(webhook: Webhook, wanted: Wanted, counted: Counted, back: str) -> Response:
    """Begin a bulk resend and go to its page; if it is refused, say why and go `back`."""
    who, webhook_id, company_id = actor(), webhook.id, webhook.company_id
    try:
        bulk_id = write(lambda session: begin(session, wanted, counted, who), company_id)
    except Refused as refused:
        flash(" ".join(problem.portuguese for problem in refused.problems), "warning")
        # The second of two clicks sees what the first one began.
        found = running(db.session(), webhook_id)
        if found is None:
            return redirect(back, code=303)
        bulk_id = found.id
    return redirect(url_for("bulk_resends.show", resend_id=bulk_id), code=303)


@blueprint.get("/reenvios/<resend:resend_id>")
def show(resend_id: int) -> str:
    """Show one bulk resend: how far it is, what arrived, and why it waits."""
    facts = _facts(resend_id)
    live_url = ""
    if facts["shown"].is_going_on:
        live_url = url_for("bulk_resends.watch", resend_id=resend_id)
    return render_template("deliveries/resends/show.html", live_url=live_url, **facts)


@blueprint.get("/reenvios/<resend:resend_id>/ao-vivo")
def watch(resend_id: int) -> Response:
    """Stream the page of a bulk resend as it changes."""
    companies = frozenset({_bulk_or_404(resend_id)[0].company_id})
    return live.stream(lambda: _facts(resend_id), _PARTS, companies)


@blueprint.route("/reenvios/<resend:resend_id>/cancelar", methods=["GET", "POST"])
def stop(resend_id: int) -> str | Response:
    """Say what cancelling means; stop queuing once that is confirmed."""
    bulk, webhook = _bulk_or_404(resend_id)
    if request.method == "GET":
        return render_template("deliveries/resends/cancel.html", bulk=bulk, webhook=webhook)
    who = actor()
    name = "envio" if bulk.stored else "reenvio"
    if write(lambda session: cancel(session, resend_id, who), webhook.company_id):
        flash(f"O {name} foi cancelado: nada mais entra na fila.")
    else:
        flash(f"Este {name} já tinha terminado: não havia o que cancelar.", "warning")
    return redirect(url_for("bulk_resends.show", resend_id=resend_id), code=303)


def _bulk_or_404(resend_id: int) -> tuple[BulkResend, Webhook]:
    bulk = db.session.get(BulkResend, resend_id)
    if bulk is None:
        abort(404)
    return bulk, webhook_or_404(bulk.webhook_id)


def _facts(resend_id: int) -> dict[str, Any]:
    bulk, webhook = _bulk_or_404(resend_id)
    company = company_or_404(webhook.company_id)
    has_room = True
    group, event_id = None, None
    if bulk.event_id is not None:
        event_id = public_ids_of([bulk.event_id]).get(bulk.event_id)
    if bulk.refusal_group_id is not None:
        group = db.session.get(RefusalGroup, bulk.refusal_group_id)
    if bulk.state == BulkState.RUNNING:
        now_ms = ms_now()
        has_room = bool(bulk.waiting) or queue_capacity(db.session(), webhook, now_ms) > 0
    return {
        "bulk": bulk,
        "webhook": webhook,
        "company": company,
        "shown": shown_bulk(bulk, hold(webhook), has_room=has_room),
        "asked": asked_words(bulk, company.timezone, group),
        "event_id": event_id,
        "title": "Envio do que já tinha chegado a" if bulk.stored else "Reenvio para",
        "takes": span_words(max(0, bulk.total - bulk.queued - bulk.skipped), webhook.rate_limit),
    }
