"""A webhook is created or edited."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.events.catalog import MAX_NAME_LENGTH
from webhookproxy.events.formats.definition import Format
from webhookproxy.events.formats.stored import read_format
from webhookproxy.models import Company, Webhook
from webhookproxy.models.audit import Action, record_webhook, record_webhook_edit
from webhookproxy.models.webhooks import create_webhook, edit_webhook, find_webhook
from webhookproxy.rules.headers import read_headers
from webhookproxy.rules.webhooks import WebhookInput, changed_webhook
from webhookproxy.web.shared.access import (
    account,
    actor,
    administrators,
    company_or_404,
    webhook_or_404,
)
from webhookproxy.web.shared.address import number_of
from webhookproxy.web.shared.forms import Conflict, policy
from webhookproxy.web.webhooks import shown_once
from webhookproxy.web.webhooks.forms import WebhookForm, events_by_category

blueprint = Blueprint("webhook_editing", __name__)


@blueprint.route("/empresas/<company:company_id>/webhooks/novo", methods=["GET", "POST"])
@administrators
def create(company_id: int) -> str | Response:
    """Create a webhook; it gets the company's events from the next one on.

    It may begin as a copy of another webhook of the company, with its filters and not its secrets.
    """
    company = company_or_404(company_id)
    form, copied = WebhookForm(), _copied(company_id)
    filters = None if copied is None else copied.input().filters
    form.keep_format(Format() if copied is None else read_format(copied.format))
    if copied is not None and request.method == "GET" and not form.recovered:
        form.fill_copy(copied)
    if form.validate_on_submit():
        allowed, who = policy(), actor()

        def act(session: Session, typed: dict[str, Any]) -> int:
            given = WebhookInput(filters=filters, **typed)
            webhook = create_webhook(session, company_id, given, allowed)
            record_webhook(session, who, Action.WEBHOOK_CREATED, company_id, webhook.id)
            return webhook.id

        form.generate()
        if saved := form.save(act, company_id):
            flash("O webhook foi criado e vale a partir de agora.")
            return _go_on(form, *saved)
    return _page(form, company, None, copied=copied)


def _copied(company_id: int) -> Webhook | None:
    """Return the webhook that the address says to copy. Answers 404 for another company's."""
    number = number_of(request.args.get("de", ""), "webhook")
    if number is None:
        return None
    webhook = webhook_or_404(number)
    if webhook.company_id != company_id:
        abort(404)
    return webhook


@blueprint.route("/webhooks/<webhook:webhook_id>/editar", methods=["GET", "POST"])
def edit(webhook_id: int) -> str | Response:
    """Change a webhook. If someone else did meanwhile, refuse and show both versions."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    form = WebhookForm()
    form.keep_format(read_format(webhook.format))
    added = ""
    if request.method == "GET" and not form.recovered:
        form.fill(webhook)
        # The page of an event that no webhook asked for leads here.
        wanted = request.args.get("evento", "")[:MAX_NAME_LENGTH]
        added = wanted if wanted and form.add_event(wanted) else ""
    if form.validate_on_submit():
        allowed, who, same_path = policy(), actor(), not account().is_admin

        def act(session: Session, typed: dict[str, Any]) -> int:
            found = find_webhook(session, webhook_id)
            form.check_version(found)
            before = found.input()
            given = changed_webhook(before, typed, allowed, same_path=same_path)
            edit_webhook(session, found, given, allowed)
            record_webhook_edit(session, who, before, found)
            return webhook_id

        form.generate()
        try:
            if saved := form.save(act, company.id):
                flash("O webhook foi salvo.")
                return _go_on(form, *saved)
        except Conflict:
            form.show_newer(webhook_or_404(webhook_id))
    return _page(form, company, webhook, added=added)


def _page(
    form: WebhookForm,
    company: Company,
    webhook: Webhook | None,
    *,
    copied: Webhook | None = None,
    added: str = "",
) -> str:
    categories, chosen = events_by_category(), set(form.events.data or ())
    stored = () if webhook is None else read_headers(webhook.headers)
    kept = {name.lower() for name, _ in stored}
    given = {"form": form, "company": company, "webhook": webhook, "copied": copied, "added": added}
    given |= {"categories": categories, "chosen": chosen, "kept_headers": kept}
    return render_template("webhooks/form.html", **given)


def _go_on(form: WebhookForm, webhook_id: int, is_new: bool) -> Response:
    """Redirect to the webhook, or to the page that shows its new secret once."""
    if not form.generate_secret.data:
        return redirect(url_for("webhooks.show", webhook_id=webhook_id), code=303)
    # The second of two clicks generated a secret that was not stored.
    if is_new:
        shown_once.keep(account().key, webhook_id, str(form.secret.data))
    return redirect(url_for("webhook_secret.show", webhook_id=webhook_id), code=303)
