"""The deliveries: the list, one of them with all that was sent and came back, what one can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.delivery.request import curl_command, stored_request
from webhookproxy.extensions import db
from webhookproxy.models import Attempt, Company, Delivery, Event, Webhook
from webhookproxy.models.acts import Cancelled, Resent, Tried, cancel, resend, try_now
from webhookproxy.models.audit import Action, record
from webhookproxy.models.deliveries import find_delivery
from webhookproxy.reasons import Words
from webhookproxy.rules import Refused
from webhookproxy.web import delivery_list, live
from webhookproxy.web.access import actor, company_or_404, delivery_or_404, may_see
from webhookproxy.web.delivery_filter import PERIODS, Filter
from webhookproxy.web.delivery_words import WAITING, attempt_words, shown_words
from webhookproxy.web.forms import write

blueprint = Blueprint("deliveries", __name__)


@blueprint.get("/entregas")
def index() -> str:
    """The deliveries that match what the address asks for, newest first."""
    chosen = Filter.read(request.args, db.session())
    page = delivery_list.find(db.session(), chosen.wanted())
    return render_template(
        "deliveries/index.html",
        chosen=chosen,
        page=page,
        states=delivery_list.STATES,
        periods=PERIODS,
        now_ms=delivery_list.now_ms(),
        words=_list_words(page, chosen),
    )


def _list_words(page: delivery_list.Page, chosen: Filter) -> dict[int, Words]:
    webhooks = {webhook.id: webhook for webhook in chosen.webhooks}
    return {
        row.id: shown_words(row, webhooks[row.webhook_id], chosen.timezone, row.received_ms)
        for row in page.rows
    }


@blueprint.get("/entregas/<delivery:delivery_id>")
def show(delivery_id: int) -> str:
    """One delivery: did it arrive, what was sent, what came back, and why."""
    facts = _facts(delivery_id)
    waits = facts["delivery"].state in WAITING
    live_url = url_for("deliveries.watch", delivery_id=delivery_id) if waits else ""
    return render_template("deliveries/show.html", live_url=live_url, **facts)


@blueprint.get("/entregas/<delivery:delivery_id>/ao-vivo")
def watch(delivery_id: int) -> Response:
    """The same, as it changes."""
    _, event, _ = delivery_or_404(delivery_id)
    company_id = event.company_id

    def draw() -> live.Parts:
        if not may_see(db.session(), company_id):
            return {}
        facts = _facts(delivery_id)
        return {
            "aviso": render_template("alarms.html"),
            "situacao": render_template("deliveries/_state.html", **facts),
            "tentativas": render_template("deliveries/_attempts.html", **facts),
        }

    return live.stream(draw, frozenset({company_id}))


def _facts(delivery_id: int) -> dict[str, Any]:
    delivery, event, webhook = delivery_or_404(delivery_id)
    company = company_or_404(webhook.company_id)
    attempts = _attempts(delivery, company)
    last_ms = attempts[0][0].started_ms if attempts else event.received_ms
    since_ms = delivery.ended_ms or last_ms
    return {
        "delivery": delivery,
        "event": event,
        "webhook": webhook,
        "company": company,
        "waits": delivery.state in WAITING,
        "now_ms": delivery_list.now_ms(),
        "since_ms": since_ms,
        "words": shown_words(delivery, webhook, company.timezone, since_ms),
        "attempts": attempts,
        "siblings": _siblings(event, delivery),
        **_request(delivery),
    }


def _attempts(delivery: Delivery, company: Company) -> list[tuple[Attempt, Any]]:
    query = select(Attempt).where(Attempt.delivery_id == delivery.id)
    rows = db.session.scalars(query.order_by(Attempt.number.desc()).limit(100))
    return [(attempt, attempt_words(attempt, company.timezone)) for attempt in rows]


def _siblings(event: Event, delivery: Delivery) -> list[tuple[Delivery, Webhook]]:
    others = delivery_list.siblings(db.session(), event.id, delivery.id)
    found = [(each, db.session.get(Webhook, each.webhook_id)) for each in others]
    return [(each, webhook) for each, webhook in found if webhook is not None]


def _request(delivery: Delivery) -> dict[str, Any]:
    try:
        shown = stored_request(db.session(), delivery)
    except Refused:
        return {"shown_request": None, "curl": ""}
    return {"shown_request": shown, "curl": curl_command(shown)}


@blueprint.post("/entregas/<delivery:delivery_id>/tentar")
def try_again(delivery_id: int) -> Response:
    """Have it tried at once; an earlier one of its key goes first."""

    def act(session: Session) -> str:
        done = try_now(session, find_delivery(session, delivery_id))
        if done.outcome is Tried.EARLIER:
            return (
                f"Para manter a ordem, tentamos agora a entrega anterior (delivery_"
                f"{done.delivery_id}); esta vem logo depois."
            )
        if done.outcome is Tried.ALREADY_ENDED:
            return "Esta entrega já tinha terminado: não há o que tentar."
        return "Tentando agora."

    return _act(delivery_id, Action.TRY_NOW, act)


@blueprint.post("/entregas/<delivery:delivery_id>/reenviar")
def send_again(delivery_id: int) -> Response:
    """Queue one that ended once more, with the same event_id."""

    def act(session: Session) -> str:
        if resend(session, find_delivery(session, delivery_id)) is Resent.QUEUED:
            return "Reenvio na fila: a sua URL recebe o mesmo event_id e o mesmo corpo."
        return "Esta entrega já estava na fila."

    return _act(delivery_id, Action.RESEND, act)


@blueprint.route("/entregas/<delivery:delivery_id>/cancelar", methods=["GET", "POST"])
def give_up(delivery_id: int) -> str | Response:
    """End one that waits, once that is confirmed; it is not sent."""
    delivery, event, webhook = delivery_or_404(delivery_id)
    if request.method == "GET":
        given = {"delivery": delivery, "event": event, "webhook": webhook}
        return render_template("deliveries/cancel.html", **given)

    def act(session: Session) -> str:
        if cancel(session, find_delivery(session, delivery_id)) is Cancelled.CANCELLED:
            return "A entrega foi cancelada e não será enviada."
        return "Esta entrega já tinha terminado: nada foi cancelado."

    return _act(delivery_id, Action.CANCEL, act)


def _act(delivery_id: int, action: Action, act: Callable[[Session], str]) -> Response:
    """Do it, say what was done (or why not), and go back to the delivery."""
    _, event, _ = delivery_or_404(delivery_id)
    who, company_id = actor(), event.company_id

    def job(session: Session) -> str:
        subject = f"delivery_{delivery_id}"
        record(session, who, action, company_id=company_id, subject=subject)
        return act(session)

    try:
        said = write(job, company_id)
    except Refused as refused:
        said = " ".join(problem.portuguese for problem in refused.problems)
    flash(said)
    return redirect(url_for("deliveries.show", delivery_id=delivery_id), code=303)
