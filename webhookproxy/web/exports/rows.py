"""The lines of the files: a delivery, an event, an entry of the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import current_app
from sqlalchemy import select

from webhookproxy.events.call_facts import NO_FACTS, CallFacts
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.audit import Action, AuditEntry
from webhookproxy.models.call_facts import facts_of_events
from webhookproxy.reasons import DELIVERY_LABELS, DeliveryState
from webhookproxy.search.asking import ask
from webhookproxy.search.deliveries import Wanted
from webhookproxy.search.question import Question
from webhookproxy.web.admin.audit import Chosen
from webhookproxy.web.admin.audit_words import ACTIONS, detail_words, who_words
from webhookproxy.web.deliveries.facts import public_ids_of, webhooks_of
from webhookproxy.web.deliveries.list_filter import Choice
from webhookproxy.web.deliveries.listing import find_deliveries
from webhookproxy.web.deliveries.words import shown_words
from webhookproxy.web.events.arrivals import arrivals_of
from webhookproxy.web.events.call_words import may_be_shown, telephone
from webhookproxy.web.events.list_filter import Owner
from webhookproxy.web.exports.csv_sheet import Round, masked, times

# The end of a line is what the event says of its call, as this account may see it.
DELIVERIES = (
    *("Entrega", "Evento", "ID do evento", "Empresa", "Webhook", "Estado", "Motivo", "HTTP"),
    *("Tentativas", "Reenvios", "Chave", "Chegou em", "Chegou em (UTC)"),
    *("Terminou em", "Terminou em (UTC)", "Telefone", "Agente", "Campanha", "Resultado"),
)
# The end of a line is what the event says of its call, without the telephone and the agent.
EVENTS = (
    *("Evento", "ID do evento", "Empresa", "Chave", "Chegou em", "Chegou em (UTC)", "Destino"),
    *("Campanha", "Fila", "Resultado", "Tabulação", "Desligamento", "Modo", "Duração (s)"),
)
AUDIT = ("Quando", "Quando (UTC)", "Quem", "Ação", "Detalhe", "Empresa", "Sobre", "De onde")

_BEHIND = "Eventos que acabaram de chegar ainda não entraram na busca: não estão neste arquivo."
_CUT = "Muitos valores diferentes começam assim; procuramos em uma parte deles."


def deliveries(wanted: Wanted, of: Mapping[int, Choice], most: int) -> Round:
    """Return `most` of the deliveries that are wanted, and where the rest begins."""
    page = find_deliveries(db.session(), wanted, most)
    webhooks = webhooks_of({row.webhook_id for row in page.rows})
    events = sorted({row.event_id for row in page.rows})
    public_ids = public_ids_of(events)
    calls = facts_of_events(db.session(), events)
    rows: list[tuple[object, ...]] = []
    for row in page.rows:
        choice, webhook = of[row.webhook_id], webhooks[row.webhook_id]
        zone = choice.timezone
        rows.append(
            (
                *(f"delivery_{row.id}", row.event, public_ids.get(row.event_id)),
                *(choice.company, choice.name, _state(row.state)),
                shown_words(row, webhook, zone, row.received_ms).what,
                *(row.status, row.attempts, row.resends - bool(row.sent_later)),
                masked(row.order_key),
                *times(row.received_ms, zone),
                *times(row.ended_ms, zone),
                *_customer(calls.get(row.event_id, NO_FACTS)),
            )
        )
    return Round(rows, page.older)


def events(question: Question, of: Mapping[int, Owner], most: int) -> Round:
    """Return `most` of the events that are asked for, each with its deliveries."""
    session = db.session()
    answer = ask(session, current_app.extensions["search"], question, most)
    rows: list[tuple[object, ...]] = []
    for event in arrivals_of(session, answer.ids):
        owner = of[event.company_id]
        became = "; ".join(f"{due.webhook}: {_state(due.state)}" for due in event.dues)
        rows.append(
            (
                *(event.name, event.public_id, owner.name, masked(event.order_key)),
                *times(event.received_ms, owner.timezone),
                became or event.note,
                *_call(event.facts),
            )
        )
    notes = [note for note, holds in ((_BEHIND, answer.behind), (_CUT, answer.cut)) if holds]
    return Round(rows, answer.ids[-1] if answer.more and answer.ids else None, " ".join(notes))


def _customer(facts: CallFacts) -> tuple[object, ...]:
    shown = may_be_shown(facts)
    return (
        *(telephone(shown.telephone), shown.agent or shown.agent_id),
        *(shown.campaign or shown.campaign_id, shown.outcome),
    )


def _call(facts: CallFacts) -> tuple[object, ...]:
    return (
        *(facts.campaign or facts.campaign_id, facts.queue, facts.outcome, facts.qualification),
        *(facts.hangup, facts.mode, facts.duration),
    )


def audit_entries(chosen: Chosen, before: int | None, most: int) -> Round:
    """Return `most` entries of the audit."""
    session = db.session()
    page = replace(chosen, before=before).entries(session, most)
    of_rows = select(Company.id, Company.name).where(
        Company.id.in_({entry.company_id for entry in page.entries})
    )
    names = {row.id: row.name for row in session.execute(of_rows)}
    return Round([_entry(entry, names) for entry in page.entries], page.more)


def _entry(entry: AuditEntry, names: Mapping[int, str]) -> tuple[object, ...]:
    company = None if entry.company_id is None else names.get(entry.company_id, entry.company_id)
    return (
        *times(entry.at),
        *(who_words(entry), ACTIONS[Action(entry.action)][0], detail_words(entry)),
        *(company, entry.subject, entry.address),
    )


def _state(state: str) -> str:
    return DELIVERY_LABELS[DeliveryState(state)]
