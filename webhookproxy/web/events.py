"""One event: what arrived, and why it did, or did not, reach each webhook."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import defer
from werkzeug.wrappers import Response as BaseResponse

from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.reasons import EVENT_WORDS, EventNote
from webhookproxy.web import live
from webhookproxy.web.access import company_or_404
from webhookproxy.web.event_verdict import verdict
from webhookproxy.web.event_why import outcomes
from webhookproxy.web.pretty import pretty
from webhookproxy.web.viewings import note_viewing

blueprint = Blueprint("events", __name__)

# A longer payload is not put on the page, but downloaded.
PAYLOAD_MAX = 64_000


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
            "aviso": render_template("alarms.html"),
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
