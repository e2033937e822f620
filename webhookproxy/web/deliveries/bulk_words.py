"""A bulk resend in words: its state, why it waits, what was asked for, how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from webhookproxy.models import RefusalGroup
from webhookproxy.models.deliveries.bulk_resends import BulkResend, BulkState, Hold
from webhookproxy.web.deliveries.resend_request import STATES
from webhookproxy.web.deliveries.words import refusal_words
from webhookproxy.web.shared.formats import clock, number

_HELD: Mapping[Hold, str] = MappingProxyType(
    {
        Hold.PAUSED: "O webhook está pausado. O reenvio continua quando você o retomar.",
        Hold.SIMULATED: (
            "O webhook está simulado, e nada seria enviado. O reenvio continua quando você o "
            "ativar."
        ),
        Hold.CIRCUIT: (
            "A URL está falhando, e testamos um evento de cada vez. O reenvio continua sozinho "
            "quando ela voltar a responder."
        ),
        Hold.DISCARDING: (
            "O que esperava neste webhook ainda está sendo descartado. O reenvio continua logo "
            "depois."
        ),
    }
)
_QUEUE_IS_FULL = (
    "Há entregas na fila deste webhook, e elas vão primeiro. O reenvio continua sozinho."
)


@dataclass(frozen=True, slots=True)
class ShownBulk:
    """The state of a bulk resend: one word, one sentence, how much of it was delivered."""

    label: str
    drawing: str
    colour: str
    sentence: str
    per_cent: int
    on_the_way: int
    is_going_on: bool


def shown_bulk(bulk: BulkResend, held: Hold | None, *, has_room: bool) -> ShownBulk:
    """Return how the page describes a bulk resend; `has_room`: the queue lets it go on."""
    on_the_way = bulk.queued - bulk.delivered - bulk.failed
    is_running = bulk.state == BulkState.RUNNING
    label, drawing, colour, sentence = _state_words(bulk, held, on_the_way, has_room=has_room)
    return ShownBulk(
        label,
        drawing,
        colour,
        sentence,
        int(bulk.arrived * 100),
        on_the_way,
        is_running or on_the_way > 0,
    )


def _state_words(
    bulk: BulkResend, held: Hold | None, on_the_way: int, *, has_room: bool
) -> tuple[str, str, str, str]:
    if bulk.state == BulkState.CANCELLED:
        rest = "O que já foi tentado ainda termina." if on_the_way else "Nada mais é enviado."
        return "Cancelado", "ban", "grey", rest
    if bulk.state == BulkState.RUNNING:
        if held is not None:
            return "Esperando", "hourglass", "amber", _HELD[held]
        if not has_room:
            return "Esperando", "hourglass", "amber", _QUEUE_IS_FULL
        going = "Poucas de cada vez, sempre depois dos eventos novos. Você pode fechar esta página."
        return "Em andamento", "loader-2", "blue", going
    if on_the_way:
        return "Tudo na fila", "hourglass", "blue", "As últimas saem assim que chegar a vez delas."
    if bulk.failed:
        again = "" if bulk.stored else " de novo"
        said = f"Parte falhou{again}: veja o que a URL disse."
        return "Terminado", "circle-check", "amber", said
    return "Terminado", "circle-check", "green", "Tudo o que entrou na fila foi entregue."


def asked_words(bulk: BulkResend, timezone: str, group: RefusalGroup | None = None) -> str:
    """Return what was asked for: "recusadas e expiradas desde 14:02, só call-was-ended".

    `group` is the group of refusals that was asked for, if it still exists.
    """
    if bulk.event_id is not None:
        return "um evento que já tinha chegado"
    by_state = {state.value: name.lower() for name, state in STATES.values()}
    what = "o que já tinha chegado"
    if not bulk.stored:
        what = " e ".join(by_state[state] for state in bulk.states)
    since = "" if bulk.since_ms is None else f" desde {clock(bulk.since_ms, timezone)}"
    answer = f", só as de “{refusal_words(group)}”" if group is not None else ""
    return f"{what}{since}" + (f", só {bulk.event}" if bulk.event else "") + answer


def span_words(count: int, rate_limit: float | None) -> str:
    """Return how long `count` deliveries take at a rate limit; "" without a limit."""
    if rate_limit is None:
        return ""
    seconds = count / rate_limit
    for size, unit in ((86_400, "dias"), (3_600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"cerca de {number(round(seconds / size))} {unit}"
    return f"cerca de {number(max(1, round(seconds)))} s"
