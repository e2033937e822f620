"""The filters of a webhook: choose an event, edit its conditions, try them, save them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.events.catalog import CATALOG, is_event_name
from webhookproxy.events.conditions import LABELS
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import record_webhook_edit
from webhookproxy.models.webhooks import edit_webhook, find_webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.filters import Checked, read_filters
from webhookproxy.web.filters.draft import Conditions, Draft, seal
from webhookproxy.web.filters.sample import find_sample
from webhookproxy.web.filters.trial import Trial, try_conditions
from webhookproxy.web.shared import drafts, figures
from webhookproxy.web.shared.access import account, actor, company_or_404, webhook_or_404
from webhookproxy.web.shared.forms import Conflict, policy, write
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("filters", __name__)

# Names that are offered as links; any other name can be typed.
OFFERED_MAX = 40
_CHANGED = "Você mudou as condições depois de testar. Confira a conta abaixo e salve de novo."
_CONFLICT = (
    "Outra pessoa salvou este filtro enquanto você montava o seu. Agora ele pede: {stored}. "
    "Salve de novo para ficar com o que você montou."
)


@blueprint.get("/webhooks/<webhook:webhook_id>/filtros")
def index(webhook_id: int) -> str:
    """Show the events to choose from."""
    return _choice(webhook_or_404(webhook_id), None)


@blueprint.route("/webhooks/<webhook:webhook_id>/filtros/condicoes", methods=["GET", "POST"])
def edit(webhook_id: int) -> str | Response:
    """Edit the conditions of one event; they are saved only after they were tried."""
    webhook = webhook_or_404(webhook_id)
    name = request.args.get("evento", "").strip()
    if not is_event_name(name):
        return _choice(webhook, name)
    stored = _filters_of(webhook).get(name, ())
    if request.method == "GET":
        kept = drafts.take()
        draft = Draft.of(stored) if kept is None else Draft.read(kept)
        draft.sample = draft.sample or request.args.get("amostra", "")
        left_out = "" if kept else request.args.get("sem", "")
        return _page(webhook, name, draft, None, recovered=kept is not None, left_out=left_out)
    draft, conditions = Draft.read(request.form), None
    draft.change(request.form)
    if "try" in request.form or "save" in request.form:
        conditions = draft.checked(name)
    saves = "save" in request.form
    if saves and conditions is not None and _saved(webhook, name, draft, conditions):
        flash(f"O filtro de {name} foi {'salvo' if conditions else 'removido'}.")
        return redirect(url_for("webhooks.show", webhook_id=webhook_id, _anchor="filtros"), 303)
    return _page(webhook, name, draft, conditions)


def _filters_of(webhook: Webhook) -> Mapping[str, Conditions]:
    """Return the conditions of each event that has any."""
    return read_filters(webhook.filters) or {}


def _choice(webhook: Webhook, typed: str | None) -> str:
    """Show the events to choose from; `typed` is a text that is no name of an event."""
    session = db.session()
    seen = figures.events_by_name(session, webhook.company_id, figures.this_hour() - 23)
    asked = webhook.events
    come = [name for name in seen if name and (asked is None or name in asked)]
    filters = _filters_of(webhook)
    every = [*come, *(name for name in asked or () if name not in seen)]
    offered = [name for name in every if name not in filters]
    return render_template(
        "filters/index.html",
        webhook=webhook,
        company=company_or_404(webhook.company_id),
        typed=typed,
        filters=filters,
        offered=offered[:OFFERED_MAX],
        more_offered=max(0, len(offered) - OFFERED_MAX),
        seen=seen,
        names=sorted({*CATALOG, *come} if asked is None else asked),
    )


def _page(
    webhook: Webhook,
    name: str,
    draft: Draft,
    conditions: Conditions | None,
    *,
    recovered: bool = False,
    left_out: str = "",
) -> str:
    """Show the form, with what `conditions` would have done if they are given.

    `left_out` is a path: events with the sample's value there are to be left out.
    """
    session, place = db.session(), current_app.extensions["search"]
    company = company_or_404(webhook.company_id)
    trial: Trial | None = None
    if conditions is not None:
        trial = try_conditions(session, place, company.id, name, conditions)
        draft.reviewed = seal(conditions)
    asked = {row.path for row in draft.rows}
    sample = find_sample(session, place, company.id, name, draft.sample, asked)
    if left_out and (take := sample.take_of(left_out)):
        draft.leave_out(take)
    if sample.public_id:
        note_view(sample.public_id, company.id)
    return render_template(
        "filters/edit.html",
        webhook=webhook,
        company=company,
        name=name,
        draft=draft,
        recovered=recovered,
        submission=drafts.submission_key(account().id),
        trial=trial,
        sample=sample,
        operators=LABELS,
        is_asked=webhook.events is None or name in webhook.events,
    )


def _saved(webhook: Webhook, name: str, draft: Draft, conditions: Conditions) -> bool:
    """Save the conditions and return whether they are stored; if not, the draft says why."""
    if seal(conditions) != draft.reviewed:
        draft.errors.append(_CHANGED)
        return False
    webhook_id = webhook.id
    try:
        _save(webhook, name, conditions, draft.base)
    except Refused as refused:
        draft.errors += [problem.portuguese for problem in refused.problems]
    except Conflict:
        stored = _filters_of(webhook_or_404(webhook_id)).get(name, ())
        draft.base = seal(stored)
        draft.errors.append(_CONFLICT.format(stored=_words(stored) or "nada"))
    return not draft.errors


def _words(conditions: Conditions) -> str:
    """Return all conditions in one sentence."""
    return ", e ".join(each.words() for each in conditions)


def _save(webhook: Webhook, name: str, conditions: Conditions, base: str) -> None:
    webhook_id, allowed, who = webhook.id, policy(), actor()

    def job(session: Session) -> None:
        found = find_webhook(session, webhook_id)
        before = found.input()
        stored = (before.filters or {}).get(name, ())
        # The form was sent twice: the conditions are saved already.
        if stored == conditions:
            return
        if seal(stored) != base:
            raise Conflict
        filters: Checked = {**(before.filters or {}), name: conditions}
        edit_webhook(session, found, replace(before, filters=filters), allowed)
        record_webhook_edit(session, who, before, found)

    write(job, webhook.company_id)
