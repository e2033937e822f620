"""A webhook's signing secret: shown once after it was generated, and exchanged for another."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import utc_now
from webhookproxy.events.contract import whsec
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, record_webhook
from webhookproxy.models.signing_secrets import ROTATION_HOURS, end_rotation, rotate_secret
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.rules import Refused
from webhookproxy.web.shared.access import (
    account,
    actor,
    company_or_404,
    refuse_other_sites,
    webhook_or_404,
)
from webhookproxy.web.shared.forms import Conflict, write
from webhookproxy.web.webhooks import shown_once

blueprint = Blueprint("webhook_secret", __name__)

_CHANGED = (
    "O webhook foi salvo, ou o segredo foi trocado, depois que esta página abriu. Nada mudou "
    "agora: confira abaixo o que vale e confirme de novo."
)


@blueprint.get("/webhooks/<webhook:webhook_id>/segredo")
def show(webhook_id: int) -> str:
    """Show the secret that was just generated, in this one answer and nowhere else."""
    refuse_other_sites()
    webhook = webhook_or_404(webhook_id)
    secret = shown_once.take(account().key, webhook_id)
    return render_template(
        "webhooks/secret.html",
        webhook=webhook,
        company=company_or_404(webhook.company_id),
        secret=secret,
        standard=None if secret is None else whsec(secret),
        twice_until=webhook.signs_twice_until(utc_now()),
    )


@blueprint.route("/webhooks/<webhook:webhook_id>/trocar-segredo", methods=["GET", "POST"])
def rotate(webhook_id: int) -> str | Response:
    """Say what a rotation does; rotate the secret once that is confirmed, and show it once."""
    webhook = webhook_or_404(webhook_id)
    if request.method == "GET":
        return _rotate_page(webhook)
    who, seen = actor(), request.form.get("version", "")

    def job(session: Session) -> str:
        found = find_webhook(session, webhook_id)
        # Sent twice, the second would drop the secret that the receiver still has.
        if str(found.version) != seen:
            raise Conflict
        made = rotate_secret(session, found)
        record_webhook(session, who, Action.SECRET_ROTATED, found.company_id, webhook_id)
        return made

    try:
        shown_once.keep(account().key, webhook_id, write(job, webhook.company_id))
        flash("O segredo foi trocado.")
    except Refused as refused:
        return _rotate_page(webhook_or_404(webhook_id), refused.problems[0].portuguese)
    except Conflict:
        # The answer to the second of two clicks is the one that the browser shows.
        if not shown_once.waits(account().key, webhook_id):
            return _rotate_page(webhook_or_404(webhook_id), _CHANGED)
    return redirect(url_for("webhook_secret.show", webhook_id=webhook_id), code=303)


def _rotate_page(webhook: Webhook, problem: str = "") -> str:
    return render_template(
        "webhooks/rotate.html",
        webhook=webhook,
        company=company_or_404(webhook.company_id),
        hours=ROTATION_HOURS,
        twice_until=webhook.signs_twice_until(utc_now()),
        problem=problem,
    )


@blueprint.post("/webhooks/<webhook:webhook_id>/encerrar-segredo-antigo")
def finish_rotation(webhook_id: int) -> Response:
    """Let only the new secret sign, because the receiver has it."""
    company_id, who = webhook_or_404(webhook_id).company_id, actor()

    def job(session: Session) -> bool:
        ended = end_rotation(session, find_webhook(session, webhook_id))
        if ended:
            action = Action.SECRET_ROTATED
            record_webhook(session, who, action, company_id, webhook_id, "finished")
        return ended

    flash(
        "O segredo antigo foi encerrado: agora só o novo assina."
        if write(job, company_id)
        else "O segredo antigo já não assinava: só o novo vale."
    )
    return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)
