"""Sends a webhook what arrived before: everything since a time, or one event."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request, url_for
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.models.deliveries.bulk_resends import hold, running
from webhookproxy.models.deliveries.missed import Wanted
from webhookproxy.models.deliveries.stored import STATES, count_stored
from webhookproxy.web.deliveries.bulk_resends import start
from webhookproxy.web.deliveries.bulk_words import span_words
from webhookproxy.web.deliveries.resend_request import SINCE, read_since
from webhookproxy.web.shared.access import company_or_404, webhook_or_404

blueprint = Blueprint("send_stored", __name__)


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """Since when ("outro": `typed`), and which event; `problem` says what is wrong."""

    since: str = "24h"
    typed: str = ""
    event: str = ""
    since_ms: int | None = None
    problem: str = ""

    @classmethod
    def read(cls, given: MultiDict[str, str], timezone: str) -> StoredRequest:
        """Return the request in an address or a form; the usual one if that says nothing."""
        since, typed = given.get("desde", "24h"), given.get("hora", "").strip()[:40]
        if since not in SINCE:
            abort(404)
        since_ms, problem = read_since(since, typed, timezone)
        return cls(since, typed, given.get("evento", "").strip()[:200], since_ms, problem)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the fields of the form, as they were filled in."""
        return [("desde", self.since), ("hora", self.typed), ("evento", self.event)]

    def wanted(self, webhook_id: int) -> Wanted:
        """Return the request for the search."""
        return Wanted(webhook_id, STATES, self.event, self.since_ms, stored=True)


@blueprint.route("/webhooks/<webhook:webhook_id>/enviar", methods=["GET", "POST"])
def ask(webhook_id: int) -> str | Response:
    """Say how many events it would be sent; send them once that is confirmed."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    is_asked = request.method == "POST"
    asked = StoredRequest.read(request.form if is_asked else request.args, company.timezone)
    wanted = asked.wanted(webhook_id)
    counted = None if asked.problem else count_stored(db.session(), webhook, wanted)
    if is_asked and counted is not None:
        query = urlencode([each for each in asked.fields if each[1]])
        back = f"{url_for('send_stored.ask', webhook_id=webhook_id)}?{query}"
        return start(webhook, wanted, counted, back)
    return render_template(
        "deliveries/resends/stored.html",
        webhook=webhook,
        company=company,
        stored=asked,
        counted=counted,
        takes=span_words(counted.count, webhook.rate_limit) if counted else "",
        held=hold(webhook),
        running=running(db.session(), webhook_id),
        since_words=SINCE,
    )


@blueprint.post("/webhooks/<webhook:webhook_id>/enviar/<public_id>")
def send_one(webhook_id: int, public_id: str) -> Response:
    """Send one event to a webhook that did not get it, whatever the webhook asks for."""
    webhook = webhook_or_404(webhook_id)
    mine = select(Event.id).where(
        Event.public_id == public_id, Event.company_id == webhook.company_id
    )
    event_id = db.session.scalar(mine)
    if event_id is None:
        abort(404)
    wanted = Wanted(webhook_id, STATES, stored=True, event_id=event_id)
    counted = count_stored(db.session(), webhook, wanted)
    return start(webhook, wanted, counted, url_for("events.show", public_id=public_id))
