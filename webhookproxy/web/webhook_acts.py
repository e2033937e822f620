"""What people do with a webhook: pause it, resume it, test it, give it another secret."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.contract import whsec
from webhookproxy.delivery.trial import run_trial
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, Actor, record
from webhookproxy.models.webhooks import (
    ROTATION_HOURS,
    end_rotation,
    find_webhook,
    resume_webhook,
    rotate_secret,
    switch_webhook,
)
from webhookproxy.reasons import DELIVERY_WORDS
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web import throttle
from webhookproxy.web.access import actor, company_or_404, webhook_or_404
from webhookproxy.web.forms import Conflict, policy, write

blueprint = Blueprint("webhook_acts", __name__)


@blueprint.post("/webhooks/<webhook:webhook_id>/pausar")
def pause(webhook_id: int) -> Response:
    """Keep what comes without sending it."""
    company_id, who = webhook_or_404(webhook_id).company_id, actor()

    def job(session: Session) -> None:
        webhook = find_webhook(session, webhook_id)
        if switch_webhook(session, webhook, WebhookState.PAUSED):
            record_act(session, who, Action.WEBHOOK_PAUSED, webhook)

    write(job, company_id)
    flash("O webhook está pausado: os eventos ficam guardados até você retomar.")
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)


@blueprint.route("/webhooks/<webhook:webhook_id>/retomar", methods=["GET", "POST"])
def resume(webhook_id: int) -> str | Response:
    """Ask what is to become of what waited; then send again."""
    webhook = webhook_or_404(webhook_id)
    if request.method == "GET":
        company = company_or_404(webhook.company_id)
        return render_template("webhooks/resume.html", webhook=webhook, company=company)
    discard, who = request.form.get("esperando") == "descartar", actor()

    def job(session: Session) -> None:
        found = find_webhook(session, webhook_id)
        if resume_webhook(session, found, discard=discard):
            record_act(session, who, Action.WEBHOOK_RESUMED, found)

    write(job, webhook.company_id)
    flash("O webhook está ativo." + (" O que esperava foi descartado." if discard else ""))
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)


@blueprint.post("/webhooks/<webhook:webhook_id>/testar")
def try_out(webhook_id: int) -> str:
    """Send one made-up event now, and show what was sent and what came back."""
    throttle.limit("trial", throttle.address())
    webhook = webhook_or_404(webhook_id)
    name = request.form.get("evento", "").strip() or None
    who, company_id = actor(), webhook.company_id
    try:
        result = run_trial(db.session(), webhook, name, policy())
    except Refused as refused:
        problem = refused.problems[0].portuguese
        return render_template("webhooks/trial.html", webhook=webhook, problem=problem)
    write(
        lambda session: record(
            session,
            who,
            Action.WEBHOOK_TESTED,
            company_id=company_id,
            subject=f"webhook_{webhook_id}",
        )
    )
    outcome = result.outcome
    words = DELIVERY_WORDS[outcome.reason].filled(status=outcome.status or "de erro")
    return render_template(
        "webhooks/trial.html", webhook=webhook_or_404(webhook_id), result=result, words=words
    )


@blueprint.route("/webhooks/<webhook:webhook_id>/trocar-segredo", methods=["GET", "POST"])
def rotate(webhook_id: int) -> str | Response:
    """Say what a rotation does; make the new secret once that is confirmed, and show it once."""
    webhook = webhook_or_404(webhook_id)
    company_id, who = webhook.company_id, actor()
    seen = request.form.get("version", "")
    if request.method == "GET":
        return _rotate_page(webhook)

    def job(session: Session) -> str:
        found = find_webhook(session, webhook_id)
        # Sent twice, the second would drop the secret that the receiver still has.
        if str(found.version) != seen:
            raise Conflict
        made = rotate_secret(session, found)
        record_act(session, who, Action.SECRET_ROTATED, found)
        return made

    try:
        secret = write(job, company_id)
    except Refused as refused:
        return _rotate_page(webhook_or_404(webhook_id), refused.problems[0].portuguese)
    except Conflict:
        return _rotate_page(webhook_or_404(webhook_id), _CHANGED)
    return _secret_page(webhook_or_404(webhook_id), secret)


_CHANGED = (
    "O webhook foi salvo ou o segredo foi trocado depois que esta página abriu, talvez por um "
    "clique duplo. Nada mudou agora: confira abaixo o que vale e confirme de novo."
)


def _rotate_page(webhook: Webhook, problem: str = "") -> str:
    return render_template(
        "webhooks/rotate.html",
        webhook=webhook,
        company=company_or_404(webhook.company_id),
        hours=ROTATION_HOURS,
        twice_until=webhook.signs_twice_until(datetime.now(UTC)),
        problem=problem,
    )


def _secret_page(webhook: Webhook, secret: str) -> str:
    return render_template(
        "webhooks/secret.html",
        webhook=webhook,
        secret=secret,
        standard=whsec(secret),
        twice_until=webhook.signs_twice_until(datetime.now(UTC)),
        company=company_or_404(webhook.company_id),
    )


@blueprint.post("/webhooks/<webhook:webhook_id>/encerrar-segredo-antigo")
def finish_rotation(webhook_id: int) -> Response:
    """Have only the new secret sign, because the receiver has it."""
    company_id, who = webhook_or_404(webhook_id).company_id, actor()

    def job(session: Session) -> bool:
        webhook = find_webhook(session, webhook_id)
        ended = end_rotation(session, webhook)
        if ended:
            record_act(session, who, Action.SECRET_ROTATED, webhook, "finished")
        return ended

    ended = write(job, company_id)
    flash(
        "O segredo antigo foi encerrado: agora só o novo assina."
        if ended
        else "O segredo antigo já não assinava: só o novo vale."
    )
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)


def record_act(
    session: Session, who: Actor, action: Action, webhook: Webhook, detail: str = ""
) -> None:
    """Write down what somebody did with a webhook, in the transaction of the act."""
    subject = f"webhook_{webhook.id}"
    record(session, who, action, company_id=webhook.company_id, subject=subject, detail=detail)
