"""The format of a webhook: edit it, see the last events in it, save it."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.events.catalog import CATALOG, USUAL, is_event_name
from webhookproxy.events.formats.definition import (
    ENCODING_LABELS,
    LABELS,
    MISSING_LABELS,
    ROW_LABELS,
    STEP_LABELS,
    Format,
    StepKind,
)
from webhookproxy.events.formats.stored import read_format
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.audit import record_webhook_edit
from webhookproxy.models.webhooks import edit_webhook, find_webhook
from webhookproxy.recipes.reading import recipes
from webhookproxy.rules import Refused
from webhookproxy.web.filters.sample import find_sample
from webhookproxy.web.formats.draft import Draft, seal
from webhookproxy.web.formats.preview import Preview, preview
from webhookproxy.web.shared import drafts, figures
from webhookproxy.web.shared.access import account, actor, company_or_404, webhook_or_404
from webhookproxy.web.shared.forms import Conflict, policy, write
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("formats", __name__)

_CHANGED = "Você mudou o formato depois de ver os eventos nele. Confira abaixo e salve de novo."
_CONFLICT = (
    "Outra pessoa salvou o formato deste webhook enquanto você montava o seu. Salve de novo para "
    "ficar com o que você montou, ou abra a página de novo para ver o dela."
)


@blueprint.route("/webhooks/<webhook:webhook_id>/formato", methods=["GET", "POST"])
def edit(webhook_id: int) -> str | Response:
    """Edit the format; it is saved only after the last events were seen in it."""
    webhook = webhook_or_404(webhook_id)
    if request.method == "GET":
        kept = drafts.take()
        draft = Draft.of(read_format(webhook.format)) if kept is None else Draft.read(kept)
        return _page(webhook, draft, None, recovered=kept is not None)
    draft, wanted = Draft.read(request.form), None
    draft.change(request.form)
    if "try" in request.form or "save" in request.form:
        wanted = draft.checked()
    if "save" in request.form and wanted is not None and _saved(webhook, draft, wanted):
        flash("O formato foi salvo: vale para o que ainda não foi enviado.")
        return redirect(url_for("webhooks.show", webhook_id=webhook_id), 303)
    return _page(webhook, draft, wanted)


def _page(webhook: Webhook, draft: Draft, wanted: Format | None, *, recovered: bool = False) -> str:
    """Show the form, with the last events in the format if it is given."""
    session, place = db.session(), current_app.extensions["search"]
    company = company_or_404(webhook.company_id)
    shown: Preview | None = None
    if wanted is not None:
        shown = preview(session, place, webhook, wanted)
        draft.reviewed = seal(wanted)
    names = _names(session, webhook)
    typed = request.values.get("evento", "").strip()
    name = typed if is_event_name(typed) else names[0]
    sample = find_sample(session, place, company.id, name, draft.sample, draft.asked)
    seen = {each.public_id for each in (shown.shown if shown else ())} | {sample.public_id}
    for public_id in sorted(seen - {""}):
        note_view(public_id, company.id)
    return render_template(
        "formats/edit.html",
        webhook=webhook,
        company=company,
        draft=draft,
        recovered=recovered,
        submission=drafts.submission_key(account().id),
        preview=shown,
        sample=sample,
        name=name,
        names=names,
        kinds=LABELS,
        encodings=ENCODING_LABELS,
        row_kinds=ROW_LABELS,
        steps={kind: label for kind, label in STEP_LABELS.items() if kind is not StepKind.TABLE},
        missing=MISSING_LABELS,
        recipes=recipes(),
    )


def _names(session: Session, webhook: Webhook) -> list[str]:
    """Return the names of events to choose a payload from: at least one."""
    if webhook.events:
        return list(webhook.events)
    seen = figures.events_by_name(session, webhook.company_id, figures.this_hour() - 23)
    return list(dict.fromkeys([*(name for name in seen if name), *USUAL, *CATALOG]))


def _saved(webhook: Webhook, draft: Draft, wanted: Format) -> bool:
    """Save the format and return whether it is stored; if not, the draft says why."""
    if seal(wanted) != draft.reviewed:
        draft.errors.append(_CHANGED)
        return False
    webhook_id = webhook.id
    try:
        _save(webhook, wanted, draft.base)
    except Refused as refused:
        draft.errors += [problem.portuguese for problem in refused.problems]
    except Conflict:
        draft.base = seal(read_format(webhook_or_404(webhook_id).format))
        draft.errors.append(_CONFLICT)
    return not draft.errors


def _save(webhook: Webhook, wanted: Format, base: str) -> None:
    webhook_id, allowed, who = webhook.id, policy(), actor()

    def job(session: Session) -> None:
        found = find_webhook(session, webhook_id)
        before = found.input()
        # The form was sent twice: the format is saved already.
        if before.format == wanted:
            return
        if seal(before.format) != base:
            raise Conflict
        edit_webhook(session, found, replace(before, format=wanted), allowed)
        record_webhook_edit(session, who, before, found)

    write(job, webhook.company_id)
