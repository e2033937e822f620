"""The events: the list with its search, and one of them with why it did or did not arrive."""

from __future__ import annotations

import json
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import select
from sqlalchemy.orm import defer
from werkzeug.wrappers import Response as BaseResponse

from webhookproxy.database.clock import ms_now
from webhookproxy.events.call_facts import facts_in
from webhookproxy.events.masked import MASK, masked
from webhookproxy.extensions import db
from webhookproxy.models import Company, Event
from webhookproxy.models.recordings import opens_until
from webhookproxy.reasons import EVENT_WORDS, EventNote
from webhookproxy.web.events.list_filter import EventFilter
from webhookproxy.web.events.listing import PAGE, find_events
from webhookproxy.web.events.verdict import verdict
from webhookproxy.web.events.why import outcomes
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import company_or_404, readers, sees_personal
from webhookproxy.web.shared.address import CHOICES_MAX, periods_with
from webhookproxy.web.shared.formats import pretty
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("events", __name__)

# A longer payload is not put on the page, but downloaded.
PAYLOAD_MAX = 64_000
_PARTS = {"destinos": "events/_why.html"}


@blueprint.get("/eventos")
@readers
def index() -> str | BaseResponse:
    """List the events that the address asks for, newest first."""
    session = db.session()
    chosen = EventFilter.read(request.args, session)
    exact = _of_id(chosen)
    if exact is not None:
        return redirect(url_for("events.show", public_id=exact))
    place = current_app.extensions["search"]
    return render_template(
        "events/index.html",
        chosen=chosen,
        page=find_events(session, place, chosen.question(session), PAGE),
        names=chosen.names(session),
        periods=periods_with(chosen.period, chosen.timezone),
        most_choices=CHOICES_MAX,
    )


def _of_id(chosen: EventFilter) -> str | None:
    """Return the event's id, if the search is one and this account may see the event."""
    if not chosen.words.startswith("evt_"):
        return None
    found = select(Event.public_id).where(
        Event.public_id == chosen.words, Event.company_id.in_(chosen.companies)
    )
    return db.session.scalar(found)


@blueprint.get("/eventos/<public_id>")
@readers
def show(public_id: str) -> str:
    """Show one event: whether it arrived at each webhook, why not, and what it says."""
    event = event_or_404(public_id)
    facts = _facts(event)
    live_url = ""
    if any(each.waits for each in facts["outcomes"]):
        live_url = url_for("events.watch", public_id=public_id)
    size = len(event.payload.encode())
    return render_template(
        "events/show.html",
        live_url=live_url,
        size=size,
        facts=facts_in(event.payload),
        recording_until=_recording_until(event),
        pretty_payload=_shown_payload(event) if size <= PAYLOAD_MAX else None,
        **facts,
    )


def _recording_until(event: Event) -> int | None:
    """Return until when the link to the call's recording opens, if the event carries one."""
    company = None if event.recording_base is None else db.session.get(Company, event.company_id)
    if company is None:
        return None
    return opens_until(db.session(), company, event.id, ms_now())


def _shown_payload(event: Event) -> str:
    """Return the payload in lines, masked for a user who may not see what is personal in it."""
    if sees_personal():
        note_view(event.public_id, event.company_id)
        return pretty(event.payload)
    return pretty(masked(event.payload) or json.dumps(MASK, ensure_ascii=False))


@blueprint.get("/eventos/<public_id>/ao-vivo")
@readers
def watch(public_id: str) -> BaseResponse:
    """Stream the page of an event as it changes."""
    companies = frozenset({event_or_404(public_id).company_id})
    # It is looked up again at each redraw: it may be purged while its page is open.
    return live.stream(lambda: _facts(event_or_404(public_id)), _PARTS, companies)


@blueprint.get("/eventos/<public_id>/conteudo")
def payload(public_id: str) -> BaseResponse:
    """Return the payload exactly as it is stored, as a file."""
    event = event_or_404(public_id)
    note_view(public_id, event.company_id)
    answer = Response(event.payload.encode(), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.json")
    return answer


def event_or_404(public_id: str) -> Event:
    """Return the event, if this account may see its company. The payload is read only when used."""
    query = select(Event).where(Event.public_id == public_id).options(defer(Event.payload))
    event = db.session.scalar(query)
    if event is None:
        abort(404)
    company_or_404(event.company_id)
    return event


def _facts(event: Event) -> dict[str, Any]:
    """Return what changes on the page while a delivery of the event waits."""
    company = company_or_404(event.company_id)
    found = outcomes(db.session(), event, company.timezone)
    return {
        "event": event,
        "company": company,
        "outcomes": found,
        "verdict": verdict(event.note, found),
        "note": None if event.note is None else EVENT_WORDS[EventNote(event.note)],
    }
