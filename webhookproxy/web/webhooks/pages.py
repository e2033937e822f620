"""The webhooks: one of them, live; the form; the secret that is shown once; the end of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.engine.liveness import read_owner
from webhookproxy.events.contract import whsec
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import Action, record_webhook, record_webhook_edit
from webhookproxy.models.deliveries.bulk_resends import running
from webhookproxy.models.webhooks import (
    create_webhook,
    delete_webhook,
    edit_webhook,
    find_webhook,
)
from webhookproxy.rules import Refused
from webhookproxy.web.connection.panel import shown
from webhookproxy.web.deliveries import listing as delivery_list
from webhookproxy.web.deliveries.resend_request import SINCE, STATES, Wish
from webhookproxy.web.deliveries.words import shown_words
from webhookproxy.web.filters.pages import filters_of
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import (
    account,
    actor,
    administrators,
    company_or_404,
    webhook_or_404,
)
from webhookproxy.web.shared.forms import Conflict, policy, write
from webhookproxy.web.webhooks import shown_once
from webhookproxy.web.webhooks.forms import WebhookForm, events_by_category, newer_than
from webhookproxy.web.webhooks.health import shown_webhook

blueprint = Blueprint("webhooks", __name__)

LATEST = 8


@blueprint.get("/webhooks/<webhook:webhook_id>")
def show(webhook_id: int) -> str:
    """One webhook: is it delivering, what waits, what was sent last, how to check a signature."""
    live_url = url_for("webhooks.watch", webhook_id=webhook_id)
    facts = _facts(webhook_or_404(webhook_id))
    filters = filters_of(facts["webhook"])
    return render_template("webhooks/show.html", live_url=live_url, filters=filters, **facts)


@blueprint.get("/webhooks/<webhook:webhook_id>/ao-vivo")
def watch(webhook_id: int) -> Response:
    """The same, as it changes."""
    company_id = webhook_or_404(webhook_id).company_id

    def draw() -> live.Parts:
        facts = _facts(webhook_or_404(webhook_id))
        return {
            "aviso": render_template("connection/alarms.html"),
            "situacao": render_template("webhooks/_state.html", **facts),
            "numeros": render_template("webhooks/_numbers.html", **facts),
            "entregas": render_template("webhooks/_latest.html", **facts),
        }

    return live.stream(draw, frozenset({company_id}))


def _facts(webhook: Webhook) -> dict[str, Any]:
    session = db.session()
    company = company_or_404(webhook.company_id)
    since = figures.this_hour() - 23
    ended = figures.deliveries_by_outcome(session, [webhook.id], since)
    failed = figures.by_hour(ended, figures.FAILED)
    all_ended = figures.by_hour(ended, {"delivered", *figures.FAILED})
    rows = delivery_list.find(session, delivery_list.Wanted([webhook.id]), LATEST).rows
    return {
        "webhook": webhook,
        "company": company,
        "connection": shown(company, read_owner(session)),
        "shown": shown_webhook(webhook, company.timezone),
        "twice_until": webhook.signs_twice_until(datetime.now(UTC)),
        "latency": figures.latency(session, webhook.id, since),
        "bars_of_day": figures.last_day(all_ended, failed),
        "running": running(session, webhook.id),
        "wish": Wish(),
        "since_words": SINCE,
        "state_words": STATES,
        "rows": rows,
        "words": {
            row.id: shown_words(row, webhook, company.timezone, row.received_ms) for row in rows
        },
    }


@blueprint.route("/empresas/<company:company_id>/webhooks/novo", methods=["GET", "POST"])
@administrators
def create(company_id: int) -> str | Response:
    """Create a webhook; it is in force from the next event on."""
    company = company_or_404(company_id)
    form = WebhookForm()
    if form.validate_on_submit():
        generated, allowed, who = form.generated(), policy(), actor()

        def make(session: Session) -> int:
            webhook = create_webhook(session, company_id, given, allowed)
            record_webhook(session, who, Action.WEBHOOK_CREATED, company_id, webhook.id)
            return webhook.id

        try:
            given = form.given()
            made = write(lambda session: form.make(session, lambda: make(session)), company_id)
        except Refused as refused:
            form.take(refused)
        else:
            return _saved(made, generated, "O webhook foi criado e vale a partir de agora.")
    return _form_page(form, None, company.name, company_id, {})


@blueprint.route("/webhooks/<webhook:webhook_id>/editar", methods=["GET", "POST"])
def edit(webhook_id: int) -> str | Response:
    """Change a webhook; refused, with both versions shown, if somebody else did meanwhile."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    form = WebhookForm()
    newer: dict[str, str] = {}
    if request.method == "GET" and not form.recovered:
        form.fill(webhook)
    if form.validate_on_submit():
        generated = form.generated()
        try:
            _save(webhook, form)
        except Refused as refused:
            form.take(refused)
        except Conflict:
            newer = newer_than(form, webhook_or_404(webhook_id))
            if _was_sent_twice(form, webhook_id, newer):
                return _saved(webhook_id, generated, "O webhook foi salvo.")
            form.form_errors.append(_CONFLICT)
        else:
            return _saved(webhook_id, generated, "O webhook foi salvo.")
    return _form_page(form, webhook, company.name, company.id, newer)


def _form_page(
    form: WebhookForm, webhook: Webhook | None, company: str, company_id: int, newer: dict[str, str]
) -> str:
    return render_template(
        "webhooks/form.html",
        form=form,
        webhook=webhook,
        company_name=company,
        company_id=company_id,
        newer=newer,
        categories=events_by_category(),
        chosen=set(form.events.data or ()),
    )


def _save(webhook: Webhook, form: WebhookForm) -> None:
    webhook_id, allowed, seen, who = webhook.id, policy(), form.version.data, actor()

    def job(session: Session) -> None:
        found = find_webhook(session, webhook_id)
        if str(found.version) != seen:
            raise Conflict
        before = found.input()
        edit_webhook(session, found, form.given(before), allowed)
        record_webhook_edit(session, who, before, found)

    write(job, webhook.company_id)


_CONFLICT = (
    "Outra pessoa salvou este webhook enquanto você editava. O que ela salvou está ao lado de "
    "cada campo que mudou; salve de novo para ficar com o que você digitou."
)


def _was_sent_twice(form: WebhookForm, webhook_id: int, newer: dict[str, str]) -> bool:
    """Whether what is stored is this very form: then nobody else is to blame."""
    if newer or form.problems():
        return False
    if form.generate_secret.data:
        return shown_once.waits(account().key, webhook_id)
    return form.keeps_the_secrets_of(webhook_or_404(webhook_id))


def _saved(webhook_id: int, generated: str | None, said: str) -> Response:
    """Back to the webhook, or first to the page that shows its new secret."""
    if generated is not None and webhook_or_404(webhook_id).secret == generated:
        shown_once.keep(account().key, webhook_id, generated)
    flash(said)
    # A double click's second answer is the one that is seen, and its own secret was not stored.
    waits = generated is not None and shown_once.waits(account().key, webhook_id)
    place = "webhooks.show_secret" if waits else "webhooks.show"
    return redirect(url_for(place, webhook_id=webhook_id), code=303)


@blueprint.get("/webhooks/<webhook:webhook_id>/segredo")
def show_secret(webhook_id: int) -> str:
    """The secret that was just made, in this one answer and nowhere else."""
    webhook = webhook_or_404(webhook_id)
    secret = shown_once.take(account().key, webhook_id)
    standard = None if secret is None else whsec(secret)
    return render_template(
        "webhooks/secret.html",
        webhook=webhook,
        company=company_or_404(webhook.company_id),
        secret=secret,
        standard=standard,
        twice_until=webhook.signs_twice_until(datetime.now(UTC)),
    )


@blueprint.route("/webhooks/<webhook:webhook_id>/excluir", methods=["GET", "POST"])
@administrators
def delete(webhook_id: int) -> str | Response:
    """Say what would be lost; delete it once that is confirmed."""
    webhook = webhook_or_404(webhook_id)
    company_id = webhook.company_id
    if request.method == "POST":
        who = actor()

        def job(session: Session) -> None:
            found = find_webhook(session, webhook_id)
            delete_webhook(session, found)
            record_webhook(session, who, Action.WEBHOOK_DELETED, company_id, webhook_id)

        write(job, company_id)
        flash(f"O webhook {webhook.name} foi excluído.")
        return redirect(url_for("companies.show", company_id=company_id), code=303)
    return render_template("webhooks/delete.html", webhook=webhook)
