"""A company's catalogue: every event name, which of them come, and which webhooks take them."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request

from webhookproxy.events.catalog import CATALOG, MAX_NAME_LENGTH, is_event_name
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.web.catalogue.entries import (
    OUTSIDE,
    SHOWN,
    all_entries,
    by_category,
    chosen_of,
    entry_of,
    takes,
)
from webhookproxy.web.catalogue.sample import last_sample, made_up
from webhookproxy.web.shared.access import company_or_404, readers

blueprint = Blueprint("catalogue", __name__)


@blueprint.get("/empresas/<company:company_id>/catalogo")
@readers
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
@readers
def show(company_id: int) -> str:
    """Show one name: what it is, which webhooks take it, an example; without a name, the list."""
    company, name = company_or_404(company_id), request.args.get("nome", "")[:MAX_NAME_LENGTH]
    if not name:
        return index(company_id)
    webhooks = live_webhooks(db.session(), [company_id])
    found = all_entries(db.session(), company_id, webhooks)
    entry = next((each for each in found if each.name == name), None)
    sample = last_sample(db.session(), company_id, name)
    if entry is None and sample is None:
        abort(404)
    entry = entry or entry_of(name)
    return render_template(
        "catalogue/show.html",
        company=company,
        entry=entry,
        sample=sample,
        made_up=made_up(name),
        can_filter=is_event_name(name),
        others=[each for each in webhooks if not takes(each, name)],
    )
