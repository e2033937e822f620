"""A webhook is paused, resumed, simulated or tested."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.delivery.sending.trial import run_trial
from webhookproxy.events.catalog import CATALOG
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, record, record_webhook
from webhookproxy.models.deliveries.actions import oldest_waiting, resume_webhook, try_now
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.reasons import words_of_attempt
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import actor, company_or_404, webhook_or_404
from webhookproxy.web.shared.forms import policy, write

blueprint = Blueprint("webhook_running", __name__)


@blueprint.post("/webhooks/<webhook:webhook_id>/pausar")
def pause(webhook_id: int) -> Response:
    """Pause a webhook: events are kept and not sent."""
    _switch(webhook_id, WebhookState.PAUSED, Action.WEBHOOK_PAUSED)
    flash("O webhook está pausado: os eventos ficam guardados até você retomar.")
    return _back(webhook_id)


@blueprint.route("/webhooks/<webhook:webhook_id>/simular", methods=["GET", "POST"])
def simulate(webhook_id: int) -> str | Response:
    """Say what simulating means; simulate once that is confirmed."""
    webhook = webhook_or_404(webhook_id)
    if request.method == "GET":
        company = company_or_404(webhook.company_id)
        return render_template("webhooks/running/simulate.html", webhook=webhook, company=company)
    _switch(webhook_id, WebhookState.SIMULATED, Action.WEBHOOK_CHANGED)
    flash("O webhook está em modo simulado: nada é enviado até você ativar.")
    return _back(webhook_id)


@blueprint.route("/webhooks/<webhook:webhook_id>/retomar", methods=["GET", "POST"])
def resume(webhook_id: int) -> str | Response:
    """Ask whether to send or discard what waits; then send again."""
    webhook = webhook_or_404(webhook_id)
    if request.method == "GET":
        company = company_or_404(webhook.company_id)
        return render_template("webhooks/running/resume.html", webhook=webhook, company=company)
    discard, who = request.form.get("esperando") == "descartar", actor()

    def job(session: Session) -> bool:
        found = find_webhook(session, webhook_id)
        resumed = resume_webhook(session, found, discard=discard)
        if resumed:
            about = "discard" if discard else ""
            record_webhook(
                session, who, Action.WEBHOOK_RESUMED, found.company_id, webhook_id, about
            )
        return resumed

    # Someone else may have resumed it meanwhile; then nothing was discarded.
    discarded = write(job, webhook.company_id) and discard
    flash("O webhook está ativo." + (" O que esperava foi descartado." if discarded else ""))
    return _back(webhook_id)


def _switch(webhook_id: int, state: WebhookState, action: Action) -> None:
    company_id, who = webhook_or_404(webhook_id).company_id, actor()

    def job(session: Session) -> None:
        if switch_webhook(session, find_webhook(session, webhook_id), state):
            record_webhook(session, who, action, company_id, webhook_id, "state")

    write(job, company_id)


def _back(webhook_id: int) -> Response:
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)


@blueprint.post("/webhooks/<webhook:webhook_id>/testar-agora")
def test_now(webhook_id: int) -> str | Response:
    """Try the oldest event that waits now; if none waits, or none may be sent, send a test."""
    throttle.limit("trial", throttle.address())
    webhook = webhook_or_404(webhook_id)
    who, company_id = actor(), webhook.company_id

    def job(session: Session) -> bool:
        waiting = oldest_waiting(session, webhook_id)
        if waiting is None:
            return False
        tried = try_now(session, waiting).delivery_id
        subject = f"delivery_{tried}"
        record(session, who, Action.TRY_NOW, company_id=company_id, subject=subject)
        return True

    if webhook.state == WebhookState.PAUSED or not write(job, company_id):
        return _try_out(webhook, (webhook.events or [""])[0])
    flash("Testamos agora com um evento que espera: veja o resultado abaixo.")
    return _back(webhook_id)


@blueprint.post("/webhooks/<webhook:webhook_id>/testar")
def try_out(webhook_id: int) -> str:
    """Send one made-up event now, and show the request and the answer."""
    throttle.limit("trial", throttle.address())
    return _try_out(webhook_or_404(webhook_id), request.form.get("evento", "").strip())


def _try_out(webhook: Webhook, name: str) -> str:
    webhook_id = webhook.id
    try:
        result = run_trial(db.session(), webhook, name or None, policy())
    except Refused as refused:
        problem = refused.problems[0].portuguese
        return render_template("webhooks/running/trial.html", webhook=webhook, problem=problem)
    _note_test(webhook, name)
    outcome = result.outcome
    words = words_of_attempt(outcome.reason, outcome.status, outcome.detail)
    return render_template(
        "webhooks/running/trial.html",
        webhook=webhook_or_404(webhook_id),
        result=result,
        words=words,
        event=name,
    )


def _note_test(webhook: Webhook, event: str) -> None:
    """Write down that a test was sent, naming its event only if the catalogue has it."""
    # Anything may have been typed there, and nothing can be deleted from the audit.
    known = event if event in CATALOG or event in (webhook.events or ()) else ""
    who, company_id, webhook_id = actor(), webhook.company_id, webhook.id
    action = Action.WEBHOOK_TESTED
    write(lambda session: record_webhook(session, who, action, company_id, webhook_id, known))
