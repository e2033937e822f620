"""A day compared with 3C Plus: calls there, here, and at each webhook, with the differences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import utc_now
from webhookproxy.events.call_facts import NO_FACTS, CallFacts
from webhookproxy.events.formats.moments import ZONE as BRASILIA
from webhookproxy.events.recovery.comparison import AtWebhook, Compared, Fate
from webhookproxy.extensions import db
from webhookproxy.models import Company, Delivery, Event
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.models.recovery.asking import recover_compared
from webhookproxy.models.recovery.call_histories import known_histories
from webhookproxy.models.recovery.comparisons import (
    DayComparison,
    ask_comparison,
    day_bounds,
    newest_comparison,
    yesterday,
)
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.reasons import DeliveryState
from webhookproxy.rules.platform import rest_base
from webhookproxy.web.connection.comparison_words import (
    client_sentence,
    day_words,
    progress_words,
)
from webhookproxy.web.shared import live
from webhookproxy.web.shared.access import actor, company_or_404, readers
from webhookproxy.web.shared.address import digits
from webhookproxy.web.shared.forms import policy, write_or_say

blueprint = Blueprint("comparison", __name__)

DAYS_MAX = 30
_PARTS = {"resultado": "connection/_compared.html"}
# The columns of the table, after the webhook's name.
COLUMNS = (
    (Fate.DELIVERED, "Entregues"),
    (Fate.WAITING, "A caminho"),
    (Fate.FAILED, "Com falha"),
    (Fate.NOT_SENT, "Não enviadas"),
    (Fate.KEPT_BACK, "Fora do filtro"),
)
_RESENT = (DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED)


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A stored call of a difference; `state` is empty without a delivery, or if it is purged."""

    public_id: str
    received_ms: int
    order_key: str
    facts: CallFacts
    delivery_id: int = 0
    state: str = ""


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """The calls of a day at one webhook, as the page shows them."""

    at: AtWebhook
    name: str
    sentence: str
    lacking: list[ShownCall]

    @property
    def resendable(self) -> list[int]:
        """Return the deliveries that ended without being delivered, as they are now."""
        return [each.delivery_id for each in self.lacking if each.state in _RESENT]


@blueprint.get("/empresas/<company:company_id>/comparar")
@readers
def show(company_id: int) -> str:
    """Show the comparison of a day, by default yesterday, and offer to compare."""
    facts = _facts(company_id, _day_or_404())
    asked, live_url = facts["asked"], ""
    if asked is not None and asked.is_running:
        live_url = url_for("comparison.watch", company_id=company_id, dia=facts["day"])
    return render_template("connection/compare.html", live_url=live_url, **facts)


@blueprint.get("/empresas/<company:company_id>/comparar/ao-vivo")
@readers
def watch(company_id: int) -> Response:
    """Stream the comparison as it goes on."""
    company_or_404(company_id)
    day = _day_or_404()
    return live.stream(lambda: _facts(company_id, day), _PARTS, frozenset({company_id}))


@blueprint.post("/empresas/<company:company_id>/comparar")
def compare(company_id: int) -> Response:
    """Have a day compared."""
    company_or_404(company_id)
    day, who = _day_or_404(), actor()
    write_or_say(lambda session: ask_comparison(session, company_id, day, who), company_id)
    return redirect(url_for("comparison.show", company_id=company_id, dia=day), code=303)


@blueprint.post("/empresas/<company:company_id>/comparar/recuperar")
def recover(company_id: int) -> Response:
    """Have the calls recovered that a comparison found missing."""
    company_or_404(company_id)
    number, who = digits(request.form.get("pedido", "")), actor()
    asked = db.session.get(DayComparison, number)
    if asked is None or asked.company_id != company_id or asked.result is None:
        abort(404)
    asked_id = asked.id
    write_or_say(lambda session: recover_compared(session, asked_id, who), company_id)
    return redirect(url_for("recovery.show", company_id=company_id), code=303)


def _day_or_404() -> date:
    text = request.values.get("dia", "")
    try:
        day = date.fromisoformat(text) if text else yesterday()
    except ValueError:
        abort(404)
    # Every day has one that follows it, except the last of all.
    return day if day < date.max else abort(404)


def _facts(company_id: int, day: date) -> dict[str, Any]:
    company, session = company_or_404(company_id), db.session()
    asked = newest_comparison(session, company_id, day)
    found = None if asked is None else asked.compared
    today = utc_now().astimezone(BRASILIA).date()
    facts = {
        "company": company,
        "day": day,
        "day_words": day_words(day),
        "days": (today - timedelta(days=DAYS_MAX - 1), today),
        "asked": asked,
        "found": found,
        "said": "" if asked is None else progress_words(asked),
        "columns": COLUMNS,
        "has_address": bool(rest_base(company.socket_url, company.rest_url, policy())),
    }
    if asked is None or found is None:
        return facts
    begins, ends = day_bounds(day)
    return {
        **facts,
        "begins_later": asked.since_ms > begins,
        "is_running_day": asked.until_ms < ends,
        **_differences(session, company, day, found),
    }


def _differences(session: Session, company: Company, day: date, found: Compared) -> dict[str, Any]:
    """Return the differences by name, each as it is now."""
    names = {each.id: each.name for each in live_webhooks(session, [company.id])}
    webhooks = [each for each in found.webhooks if each.webhook_id in names]
    lacking = [each for webhook in webhooks for each in webhook.lacking]
    states = _states(session, [each.delivery_id for each in lacking if each.delivery_id])
    events = _events(session, [*found.only_here, *(each.event_id for each in lacking)])
    shown = [
        ShownWebhook(
            at,
            names[at.webhook_id],
            client_sentence(day, found, at, names[at.webhook_id]),
            [
                replace(
                    events[each.event_id],
                    delivery_id=each.delivery_id,
                    state=states.get(each.delivery_id, ""),
                )
                for each in at.lacking
                if each.event_id in events
            ],
        )
        for at in webhooks
    ]
    ids = [each.id for each in found.missing]
    back = known_histories(session.connection(), company.id, ids)
    return {
        "webhooks": shown,
        "only_here": [events[each] for each in found.only_here if each in events],
        "back": back,
        "is_all_back": found.missing_count == len(back),
        "is_whole": not found.missing_count and not any(each.at.lacks for each in shown),
    }


def _states(session: Session, ids: list[int]) -> dict[int, str]:
    rows = session.execute(select(Delivery.id, Delivery.state).where(Delivery.id.in_(ids)))
    return {row.id: row.state for row in rows}


def _events(session: Session, ids: list[int]) -> dict[int, ShownCall]:
    """Return the calls of these events, as far as they are not purged."""
    query = select(Event.id, Event.public_id, Event.received_ms, Event.order_key)
    rows = session.execute(query.where(Event.id.in_(ids))).all()
    facts = facts_of_events(session, [row.id for row in rows])
    return {
        row.id: ShownCall(
            row.public_id, row.received_ms, row.order_key, facts.get(row.id, NO_FACTS)
        )
        for row in rows
    }
