"""The events: the list with its search, and one of them with why it did, or did not, arrive."""

from __future__ import annotations

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

from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.reasons import EVENT_WORDS, EventNote
from webhookproxy.web.deliveries.address import PERIODS
from webhookproxy.web.events import listing as event_list
from webhookproxy.web.events.address import EventFilter
from webhookproxy.web.events.verdict import verdict
from webhookproxy.web.events.why import outcomes
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import company_or_404
from webhookproxy.web.shared.payload_views import note_viewing
from webhookproxy.web.shared.pretty import pretty

blueprint = Blueprint("events", __name__)

# A longer payload is not put on the page, but downloaded.
PAYLOAD_MAX = 64_000


@blueprint.get("/eventos")
def index() -> str | BaseResponse:
    """The events that match what the address asks for, newest first."""
    session = db.session()
    chosen = EventFilter.read(request.args, session)
    exact = _of_id(chosen)
    if exact is not None:
        return redirect(url_for("events.show", public_id=exact))
    place = current_app.extensions["search"]
    return render_template(
        "events/index.html",
        chosen=chosen,
        page=event_list.find(session, place, chosen.question(session), event_list.PAGE),
        names=chosen.names(session),
        periods=PERIODS,
    )


def _of_id(chosen: EventFilter) -> str | None:
    """The id of the event, if the search is one; of what may not be seen there is none."""
    if not chosen.words.startswith("evt_"):
        return None
    found = select(Event.public_id).where(
        Event.public_id == chosen.words, Event.company_id.in_(chosen.companies)
    )
    return db.session.scalar(found)


@blueprint.get("/eventos/<public_id>")
def show(public_id: str) -> str:
    """One event: did it arrive at each webhook and why not, and what it says."""
    event = event_or_404(public_id)
    facts = _facts(event)
    live_url = ""
    if any(each.waits for each in facts["outcomes"]):
        live_url = url_for("events.watch", public_id=public_id)
    size = len(event.payload.encode())
    note_viewing(public_id, event.company_id)
    return render_template(
        "events/show.html",
        live_url=live_url,
        size=size,
        pretty_payload=pretty(event.payload) if size <= PAYLOAD_MAX else None,
        **facts,
    )


@blueprint.get("/eventos/<public_id>/ao-vivo")
def watch(public_id: str) -> BaseResponse:
    """The same, as it changes."""
    company_id = event_or_404(public_id).company_id

    def draw() -> live.Parts:
        # It may be purged while its page is open.
        facts = _facts(event_or_404(public_id))
        return {
            "aviso": render_template("connection/alarms.html"),
            "destinos": render_template("events/_why.html", **facts),
        }

    return live.stream(draw, frozenset({company_id}))


@blueprint.get("/eventos/<public_id>/conteudo")
def payload(public_id: str) -> BaseResponse:
    """The payload exactly as it is stored, as a file."""
    event = event_or_404(public_id)
    note_viewing(public_id, event.company_id)
    answer = Response(event.payload.encode(), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.json")
    return answer


def event_or_404(public_id: str) -> Event:
    """The event, if this account may see its company; its payload is read when it is asked for."""
    query = select(Event).where(Event.public_id == public_id).options(defer(Event.payload))
    event = db.session.scalar(query)
    if event is None:
        abort(404)
    company_or_404(event.company_id)
    return event


def _facts(event: Event) -> dict[str, Any]:
    """What changes while a delivery of it waits."""
    company = company_or_404(event.company_id)
    found = outcomes(db.session(), event, company.timezone)
    return {
        "event": event,
        "company": company,
        "outcomes": found,
        "verdict": verdict(event.note, found),
        "note": None if event.note is None else EVENT_WORDS[EventNote(event.note)],
    }
