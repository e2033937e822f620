"""The first line of an event's page: where the event arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from webhookproxy.reasons import (
    EVENT_WORDS,
    MARKERS,
    MISSED,
    WAITING,
    DeliveryState,
    EventNote,
    NoDeliveryReason,
)
from webhookproxy.web.events.why import Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line with its drawing and colour."""

    colour: str
    drawing: str
    line: str


def verdict(note: str | None, outcomes: Sequence[Outcome]) -> Verdict:
    """Return whether the event arrived at every webhook that asked for it."""
    states = Counter(each.state for each in outcomes if each.delivery is not None)
    if not states:
        return _of_none(note, outcomes)
    bad = sum(states[state] for state in MISSED)
    waiting = sum(states[state] for state in WAITING)
    due = bad + waiting + states[DeliveryState.DELIVERED]
    if bad:
        others = f"; {_waiting(waiting)}" if waiting else ""
        return Verdict("red", "x", f"Não chegou {_to(bad, due)}{others}.")
    if waiting:
        return Verdict("amber", "hourglass", f"Ainda não chegou {_to(waiting, due)}.")
    if due:
        return Verdict("green", "check", f"Chegou {_to(due, due)}.")
    if states[DeliveryState.SIMULATED]:
        return Verdict("blue", "ghost", "Nada foi enviado: o webhook está em modo simulado.")
    return Verdict("grey", "filter", "Não foi enviado: os filtros do webhook o deixaram de fora.")


def _to(count: int, due: int) -> str:
    if due == 1:
        return "ao webhook que o pediu"
    if count == due:
        return f"aos {due} webhooks que o pediram"
    return f"a {count} dos {due} webhooks que o pediram"


def _waiting(count: int) -> str:
    return "1 ainda espera" if count == 1 else f"{count} ainda esperam"


def _of_none(note: str | None, outcomes: Sequence[Outcome]) -> Verdict:
    if note in MARKERS:
        return Verdict("amber", "alert-triangle", EVENT_WORDS[EventNote(note)].what)
    reasons = {each.no_delivery for each in outcomes}
    if NoDeliveryReason.MISSING in reasons:
        return Verdict("red", "alert-triangle", "Falta o registro de uma entrega deste evento.")
    for reason, line in (
        (NoDeliveryReason.NO_WEBHOOK, "Não foi enviado: esta empresa não tem nenhum webhook."),
        (NoDeliveryReason.WEBHOOK_REMOVED, "O webhook que pedia este evento foi excluído."),
    ):
        if reason in reasons:
            return Verdict("grey", "inbox", line)
    return Verdict("grey", "inbox", "Não foi enviado: nenhum webhook pediu este evento.")
