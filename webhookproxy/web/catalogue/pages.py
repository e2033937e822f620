"""A company's catalogue: every event name, which of them come, and which webhooks take them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, abort, current_app, render_template, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.events.catalog import CATALOG, MAX_NAME_LENGTH, is_event_name
from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.search.asking import ask
from webhookproxy.search.question import Question
from webhookproxy.web.catalogue.entries import (
    OUTSIDE,
    SHOWN,
    all_entries,
    by_category,
    chosen_of,
    entry_of,
    takes,
)
from webhookproxy.web.catalogue.masked import masked
from webhookproxy.web.shared.access import company_or_404
from webhookproxy.web.shared.formats import pretty

blueprint = Blueprint("catalogue", __name__)

# A longer payload is shown on the page of its event, or downloaded.
PAYLOAD_MAX = 64_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A company's last event of a name, with the people in it masked; `text` None: not shown."""

    public_id: str
    received_ms: int
    text: str | None


@blueprint.get("/empresas/<company:company_id>/catalogo")
def index(company_id: int) -> str:
    """List the names that the address asks for."""
    company = company_or_404(company_id)
    words, category = request.args.get("busca", "").strip()[:200], request.args.get("categoria", "")
    shown = request.args.get("mostrar", "")
    categories = [*dict.fromkeys(event.category for event in CATALOG.values()), OUTSIDE]
    if shown not in SHOWN or category not in ("", *categories):
        abort(404)
    webhooks = live_webhooks(db.session(), [company_id])
    found = all_entries(db.session(), company_id, webhooks)
    return render_template(
        "catalogue/index.html",
        company=company,
        entries=found,
        groups=by_category(chosen_of(found, words, category, shown)),
        words=words,
        category=category,
        categories=categories,
        shown=shown,
        choices=SHOWN,
    )


@blueprint.get("/empresas/<company:company_id>/catalogo/evento")
def show(company_id: int) -> str:
    """Show one name: what it is, which webhooks take it, an example; without a name, the list."""
    company, name = company_or_404(company_id), request.args.get("nome", "")[:MAX_NAME_LENGTH]
    if not name:
        return index(company_id)
    webhooks = live_webhooks(db.session(), [company_id])
    found = all_entries(db.session(), company_id, webhooks)
    entry = next((each for each in found if each.name == name), None)
    sample = _last(db.session(), company_id, name)
    if entry is None and sample is None:
        abort(404)
    entry = entry or entry_of(name)
    return render_template(
        "catalogue/show.html",
        company=company,
        entry=entry,
        sample=sample,
        made_up=_made_up(name),
        can_filter=is_event_name(name),
        others=[each for each in webhooks if not takes(each, name)],
    )


def _last(session: Session, company_id: int, name: str) -> Sample | None:
    place = current_app.extensions["search"]
    found = ask(session, place, Question(frozenset([company_id]), name=name), 1).ids
    if not found:
        return None
    size = func.length(Event.payload)
    event = session.execute(
        select(Event.public_id, Event.received_ms, size.label("size")).where(Event.id == found[0])
    ).one_or_none()
    if event is None:
        return None
    text = None
    if event.size <= PAYLOAD_MAX:
        text = masked(session.scalar(select(Event.payload).where(Event.id == found[0])) or "")
    return Sample(event.public_id, event.received_ms, None if text is None else pretty(text))


def _made_up(name: str) -> str | None:
    known = CATALOG.get(name)
    return None if known is None else pretty(json.dumps(known.sample, ensure_ascii=False))
