"""The calls of a telephone: from the box on every page to the timeline of one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from webhookproxy.events.call_facts import NO_FACTS, CallFacts
from webhookproxy.extensions import db
from webhookproxy.models import Event
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.search.asking import ask
from webhookproxy.search.question import Answer
from webhookproxy.web.events.call import merged
from webhookproxy.web.events.list_filter import EventFilter

blueprint = Blueprint("by_telephone", __name__)

# The newest events that are looked at, the calls that are listed, and the events of each whose
# payloads are read: the last ones know most.
EVENTS_MAX = 300
CALLS_MAX = 20
READ_OF_EACH = 4
# What a customer takes part in. An agent or a list is not one call.
_KINDS = ("call", "callhistory", "chat", "protocol", "message")


@dataclass(slots=True)
class Call:
    """A call or a conversation that has the telephone in its events."""

    company_id: int
    order_key: str
    last_ms: int
    first_ms: int
    events: int = 0
    facts: CallFacts = NO_FACTS


@blueprint.get("/ligacoes")
def index() -> str | Response:
    """List the calls of a telephone, newest first; lead straight to the only one."""
    chosen = EventFilter.read(MultiDict({"busca": request.args.get("telefone", "")}), db.session())
    answer, calls = Answer([]), list[Call]()
    if chosen.words:
        place = current_app.extensions["search"]
        answer = ask(db.session(), place, chosen.question(db.session()), EVENTS_MAX)
        calls = calls_of(db.session(), answer.ids)
    is_whole = not (answer.more or answer.cut or answer.behind)
    if len(calls) == 1 and is_whole:
        only = calls[0]
        address = url_for("calls.show", company_id=only.company_id, chave=only.order_key)
        return redirect(address)
    return render_template(
        "events/by_telephone.html",
        chosen=chosen,
        calls=calls[:CALLS_MAX],
        is_cut=answer.more or answer.cut or len(calls) > CALLS_MAX,
        answer=answer,
    )


def calls_of(session: Session, ids: Sequence[int]) -> list[Call]:
    """Return the calls that these events belong to, newest first."""
    query = select(Event.id, Event.company_id, Event.order_key, Event.received_ms)
    rows = session.execute(query.where(Event.id.in_(ids)).order_by(Event.id.desc()))
    found: dict[tuple[int, str], Call] = {}
    read: dict[tuple[int, str], list[int]] = {}
    for row in rows:
        key = (row.company_id, row.order_key)
        if row.order_key.partition(":")[0] not in _KINDS:
            continue
        call = found.setdefault(key, Call(*key, row.received_ms, row.received_ms))
        call.first_ms, call.events = row.received_ms, call.events + 1
        read.setdefault(key, []).append(row.id)
    shown = list(found)[:CALLS_MAX]
    facts = facts_of_events(session, [each for key in shown for each in read[key][:READ_OF_EACH]])
    for key in shown:
        known = [facts.get(each, NO_FACTS) for each in reversed(read[key][:READ_OF_EACH])]
        found[key].facts = merged(known, key[1])
    return list(found.values())
