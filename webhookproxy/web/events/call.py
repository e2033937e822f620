"""The events of one call, or of an agent or chat: of one ordering key, the first one first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, current_app, render_template, request
from sqlalchemy import func, select

from webhookproxy.events.call_facts import NO_FACTS, CallFacts
from webhookproxy.extensions import db
from webhookproxy.models import Attempt
from webhookproxy.reasons import DeliveryState
from webhookproxy.search.question import Question
from webhookproxy.web.events.arrivals import Arrival
from webhookproxy.web.events.listing import find_events
from webhookproxy.web.events.timeline import draw
from webhookproxy.web.events.words import lapse
from webhookproxy.web.shared.access import company_or_404
from webhookproxy.web.shared.address import number_of
from webhookproxy.web.shared.formats import plural
from webhookproxy.web.shared.payload_views import note_view

blueprint = Blueprint("calls", __name__)

STEPS_MAX = 60
ANSWER_SHOWN = 2_000
KEY_MAX = 120
# The states in the order in which the summary counts them.
_TOLD = {
    DeliveryState.DELIVERED: ("entregue", "entregues"),
    DeliveryState.QUEUED: ("na fila", "na fila"),
    DeliveryState.RETRYING: ("aguardando nova tentativa", "aguardando nova tentativa"),
    DeliveryState.REFUSED: ("recusada", "recusadas"),
    DeliveryState.EXPIRED: ("expirada", "expiradas"),
    DeliveryState.CANCELLED: ("cancelada", "canceladas"),
    DeliveryState.FILTERED: ("filtrada", "filtradas"),
    DeliveryState.SIMULATED: ("simulada", "simuladas"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """An event of the call; `gap_ms` is the time since the event before it."""

    event: Arrival
    gap_ms: int | None


@blueprint.get("/empresas/<company:company_id>/ligacao")
def show(company_id: int) -> str:
    """Show one call's events, the first one first, each with its deliveries.

    An agent may have many: then the page has the newest ones.
    """
    company = company_or_404(company_id)
    key = request.args.get("chave", "")[:KEY_MAX]
    before = number_of(request.args.get("antes", ""), "event")
    after = number_of(request.args.get("depois", ""), "event")
    question = Question(frozenset([company_id]), order_key=key, before=before, after=after)
    found: dict[str, Any] = _facts(question) if key else {"steps": [], "facts": NO_FACTS}
    opened = number_of(request.args.get("abrir", ""), "delivery")
    return render_template(
        "events/call.html",
        company=company,
        key=key,
        is_agent=_is_agent(key),
        place=_place(before, after),
        opened=opened,
        answer=_answer(company_id, found["steps"], opened),
        **found,
    )


def _place(before: int | None, after: int | None) -> dict[str, str]:
    """Return the fields of the address that say which page of the list this is."""
    ends = {"antes": before, "depois": after}
    return {name: f"event_{end}" for name, end in ends.items() if end is not None}


def _facts(question: Question) -> dict[str, Any]:
    """Return a page of the events, the first one first, with its summary."""
    place = current_app.extensions["search"]
    page = find_events(db.session(), place, question, STEPS_MAX)
    rows = page.rows[::-1]
    steps = [
        Step(row, None if before is None else row.received_ms - before.received_ms)
        for row, before in zip(rows, [None, *rows], strict=False)
    ]
    facts = merged([row.facts for row in rows], question.order_key)
    drawing = draw(rows) if len(rows) > 1 or any(row.dues for row in rows) else []
    told = {"summary": summary(rows), "facts": facts, "drawing": drawing}
    return {"steps": steps, "page": page, **told}


def merged(found: Sequence[CallFacts], order_key: str) -> CallFacts:
    """Return what events of one key say together, the latest word on each fact.

    Events of an agent belong to many calls: together they only name the agent.
    """
    together = NO_FACTS
    for facts in found:
        together = together.updated(facts)
    if _is_agent(order_key):
        return CallFacts(agent=together.agent, agent_id=together.agent_id)
    return together


def _is_agent(order_key: str) -> bool:
    return order_key.startswith("agent:")


def summary(rows: Sequence[Arrival]) -> str:
    """Return "12 eventos em 3 min 20 s; 24 entregas: 23 entregues, 1 recusada"; "" for no rows."""
    if not rows:
        return ""
    line = plural(len(rows), "evento", "eventos")
    if len(rows) > 1:
        line += f" em {lapse(rows[-1].received_ms - rows[0].received_ms)}"
    states = Counter(due.state for row in rows for due in row.dues)
    if not states:
        return f"{line}; nenhuma entrega"
    told = (plural(states[state], *names) for state, names in _TOLD.items() if states[state])
    return f"{line}; {plural(states.total(), 'entrega', 'entregas')}: {', '.join(told)}"


def _answer(company_id: int, steps: Sequence[Step], opened: int | None) -> str:
    """Return the beginning of the last answer to the delivery that is opened; "" for none."""
    if opened is None:
        return ""
    if not any(due.id == opened and due.is_there for step in steps for due in step.event.dues):
        abort(404)
    query = select(func.substr(Attempt.answer, 1, ANSWER_SHOWN)).where(
        Attempt.delivery_id == opened
    )
    answer = db.session.scalar(query.order_by(Attempt.number.desc()).limit(1))
    note_view(f"delivery_{opened}", company_id)
    return (answer or "").strip()
