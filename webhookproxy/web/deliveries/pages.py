"""The deliveries: the list, one of them with what was sent and came back, and its buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from webhookproxy.delivery.sending.request import stored_request
from webhookproxy.events.call_facts import facts_in
from webhookproxy.events.contract import JSON_TYPE
from webhookproxy.extensions import db
from webhookproxy.models import Attempt
from webhookproxy.models.audit import Action, record
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.models.deliveries.actions import (
    RESENDABLE,
    Cancelled,
    Resent,
    Tried,
    cancel,
    resend,
    try_now,
)
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.reasons import MISSED
from webhookproxy.rules import Refused
from webhookproxy.search.deliveries import Found
from webhookproxy.web.deliveries.facts import public_ids_of, request_of, situation, webhooks_of
from webhookproxy.web.deliveries.list_filter import Filter
from webhookproxy.web.deliveries.listing import STATES, find_deliveries
from webhookproxy.web.deliveries.resend_request import request_for
from webhookproxy.web.deliveries.words import next_ms, shown_words
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import actor, delivery_or_404, readers, sees_personal
from webhookproxy.web.shared.address import CHOICES_MAX, digits, periods_with
from webhookproxy.web.shared.forms import write
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("deliveries", __name__)

# Webhooks of which "resend all that match" is offered at once.
ALL_OF_MAX = 8
_PARTS = {"situacao": "deliveries/_state.html", "tentativas": "deliveries/_attempts.html"}


@blueprint.get("/entregas")
@readers
def index() -> str:
    """List the deliveries that the address asks for, newest first."""
    chosen = Filter.read(request.args, db.session())
    page = find_deliveries(db.session(), chosen.wanted())
    webhooks = webhooks_of({row.webhook_id for row in page.rows})
    rows = []
    for row in page.rows:
        of, webhook = chosen.webhooks[row.webhook_id], webhooks[row.webhook_id]
        words = shown_words(row, webhook, of.timezone, row.received_ms)
        rows.append((row, of, words, next_ms(row, webhook)))
    return render_template(
        "deliveries/index.html",
        chosen=chosen,
        page=page,
        rows=rows,
        public_ids=public_ids_of({row.event_id for row in page.rows}),
        facts=facts_of_events(db.session(), [row.event_id for row in page.rows]),
        states=STATES,
        periods=periods_with(chosen.period, chosen.timezone),
        most_choices=CHOICES_MAX,
        resendable=RESENDABLE,
        all_of=_all_of(chosen, page.rows),
    )


def _all_of(chosen: Filter, rows: Sequence[Found]) -> list[tuple[str, str]]:
    """Return where all that match can be resent: for each webhook of the page its name and address.

    Empty unless the filter asks for deliveries that ended badly. At most ALL_OF_MAX webhooks.
    """
    states = STATES[chosen.state][1]
    if not states or not set(states) <= set(MISSED):
        return []
    # A resend takes the whole name of an event.
    if chosen.event and all(row.event != chosen.event for row in rows):
        return []
    query = request_for(chosen.period, states, chosen.event).query
    one = [] if chosen.webhook is None else [chosen.webhook.id]
    ids = list(dict.fromkeys(one or [row.webhook_id for row in rows]))[:ALL_OF_MAX]
    several = len({chosen.webhooks[each].company_id for each in ids}) > 1
    return [
        (
            chosen.webhooks[each].name + (f" · {chosen.webhooks[each].company}" if several else ""),
            url_for("bulk_resends.ask", webhook_id=each) + query,
        )
        for each in ids
    ]


@blueprint.get("/entregas/<delivery:delivery_id>")
@readers
def show(delivery_id: int) -> str:
    """Show one delivery: whether it arrived, what was sent, what came back, and why."""
    chosen = _chosen(delivery_id)
    facts = situation(delivery_id, chosen)
    live_url = ""
    if facts["waits"]:
        live_url = url_for("deliveries.watch", delivery_id=delivery_id, tentativa=chosen)
    asked = request_of(facts["delivery"], chosen)
    event = facts["event"]
    if sees_personal():
        note_view(f"delivery_{delivery_id}", event.company_id)
    given = {"live_url": live_url, "call_facts": facts_in(event.payload)}
    return render_template("deliveries/show.html", **given, **facts, **asked)


def _chosen(delivery_id: int) -> int | None:
    """Return the number of the attempt that the address asks for. Answers 404 if it has none."""
    text = request.args.get("tentativa", "")
    if not text:
        return None
    number = digits(text, 8)
    if db.session.get(Attempt, (delivery_id, number)) is None:
        abort(404)
    return number


@blueprint.get("/entregas/<delivery:delivery_id>/ao-vivo")
@readers
def watch(delivery_id: int) -> BaseResponse:
    """Stream the page of a delivery as it changes."""
    chosen = _chosen(delivery_id)
    companies = frozenset({delivery_or_404(delivery_id)[1].company_id})
    return live.stream(lambda: situation(delivery_id, chosen), _PARTS, companies)


@blueprint.get("/entregas/<delivery:delivery_id>/corpo")
def body(delivery_id: int) -> BaseResponse:
    """Return the exact bytes of the body, as a file."""
    delivery, event, _ = delivery_or_404(delivery_id)
    try:
        asked = stored_request(db.session(), delivery)
    except Refused:
        abort(404)
    note_view(f"delivery_{delivery_id}", event.company_id)
    # The browser saves it, and shows a form or JSON as it is.
    kind = dict(asked.headers)["Content-Type"]
    name = f"{event.public_id}.{'json' if kind == JSON_TYPE else 'txt'}"
    answer = Response(asked.body.encode(), mimetype=kind)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


@blueprint.post("/entregas/<delivery:delivery_id>/tentar")
def try_again(delivery_id: int) -> BaseResponse:
    """Try a delivery now; an earlier one with the same ordering key goes first."""

    def act(session: Session) -> str:
        done = try_now(session, find_delivery(session, delivery_id))
        if done.outcome is Tried.EARLIER:
            return (
                f"Para manter a ordem, tentamos agora a entrega anterior (delivery_"
                f"{done.delivery_id}); esta vem logo depois."
            )
        if done.outcome is Tried.ALREADY_ENDED:
            return "Esta entrega já tinha terminado: não há o que tentar."
        return "Pedimos a tentativa: ela é feita agora."

    return _act(delivery_id, Action.TRY_NOW, act)


@blueprint.post("/entregas/<delivery:delivery_id>/reenviar")
def send_again(delivery_id: int) -> BaseResponse:
    """Queue a delivery that ended again, with the same event_id: as it was sent, or reformatted."""
    newest = request.form.get("formato") == "hoje"

    def act(session: Session) -> str:
        found = find_delivery(session, delivery_id)
        if resend(session, found, in_newest_format=newest) is not Resent.QUEUED:
            return "Esta entrega já estava na fila: nada mudou."
        if newest:
            return "Reenvio na fila: sua URL recebe o mesmo event_id, no formato de hoje."
        return "Reenvio na fila: sua URL recebe o mesmo event_id e o mesmo corpo."

    return _act(delivery_id, Action.RESEND, act, "newest_format" if newest else "")


@blueprint.route("/entregas/<delivery:delivery_id>/cancelar", methods=["GET", "POST"])
def give_up(delivery_id: int) -> str | BaseResponse:
    """Cancel a delivery that waits, once that is confirmed."""
    delivery, event, webhook = delivery_or_404(delivery_id)
    if request.method == "GET":
        given = {"delivery": delivery, "event": event, "webhook": webhook}
        return render_template("deliveries/cancel.html", **given)

    def act(session: Session) -> str:
        if cancel(session, find_delivery(session, delivery_id)) is Cancelled.CANCELLED:
            return "A entrega foi cancelada e não será enviada."
        return "Esta entrega já tinha terminado: nada foi cancelado."

    return _act(delivery_id, Action.CANCEL, act)


def _act(
    delivery_id: int, action: Action, act: Callable[[Session], str], detail: str = ""
) -> BaseResponse:
    """Run `act`, say what it did or why not, and go back to the page that had the button."""
    _, event, _ = delivery_or_404(delivery_id)
    who, company_id, public_id = actor(), event.company_id, event.public_id

    def job(session: Session) -> str:
        subject = f"delivery_{delivery_id}"
        record(session, who, action, company_id=company_id, subject=subject, detail=detail)
        return act(session)

    try:
        flash(write(job, company_id))
    except Refused as refused:
        flash(" ".join(problem.portuguese for problem in refused.problems), "warning")
    if request.form.get("volta") == "evento":
        return redirect(url_for("events.show", public_id=public_id), code=303)
    return redirect(url_for("deliveries.show", delivery_id=delivery_id), code=303)
