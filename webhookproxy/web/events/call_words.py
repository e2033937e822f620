"""A call in one line: "(41) 90856-8406 · Ana · Retenção · não atendida · 8 s"."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from webhookproxy.events.call_facts import CallFacts
from webhookproxy.web.events.words import lapse
from webhookproxy.web.shared.access import account

MASK = "•••"
_BRAZIL = "55"


def init_app(app: Flask) -> None:
    """Register the filters of the templates."""
    for each in (call_line, call_facts, telephone):
        app.add_template_filter(each)


def call_line(facts: CallFacts) -> str:
    """Return what is known of a call in one line, as this account may see it; "" for nothing."""
    shown = may_be_shown(facts)
    agent = shown.agent or (f"agente {shown.agent_id}" if shown.agent_id else "")
    campaign = shown.campaign or (f"campanha {shown.campaign_id}" if shown.campaign_id else "")
    lasted = lapse(shown.duration * 1000) if shown.duration else ""
    parts = (telephone(shown.telephone), agent, shown.queue or campaign, shown.outcome, lasted)
    return " · ".join(filter(None, parts))


def call_facts(facts: CallFacts) -> list[tuple[str, str]]:
    """Return every fact with its name, as this account may see it."""
    shown = may_be_shown(facts)
    named = (
        ("Telefone", telephone(shown.telephone)),
        ("Agente", shown.agent or shown.agent_id),
        ("Campanha", shown.campaign or shown.campaign_id),
        ("Fila", shown.queue),
        ("Resultado", shown.outcome),
        ("Tabulação", shown.qualification),
        ("Desligamento", shown.hangup),
        ("Modo", shown.mode),
        ("Duração", "" if shown.duration is None else lapse(shown.duration * 1000)),
    )
    return [(name, text) for name, text in named if text]


def may_be_shown(facts: CallFacts) -> CallFacts:
    """Return the facts without the telephone and the name that this account may not see."""
    if account().sees_personal:
        return facts
    return replace(
        facts, telephone=facts.telephone and MASK, agent=(facts.agent or facts.agent_id) and MASK
    )


def telephone(digits: str) -> str:
    """Return a Brazilian telephone as people write it, "(41) 90856-8406"; others as they came."""
    if not (digits.isascii() and digits.isdigit()):
        return digits
    national = digits.removeprefix(_BRAZIL) if len(digits) in (12, 13) else digits
    if len(national) not in (10, 11) or national[0] == "0":
        return digits
    return f"({national[:2]}) {national[2:-4]}-{national[-4:]}"
