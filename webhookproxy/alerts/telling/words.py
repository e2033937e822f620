"""One alert in words: what, since when, why, and what helps; and how it ended.

Nothing here comes from a receiver or from 3C Plus but a status, as a number.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from webhookproxy.alerts.conditions import EXPIRY_DAYS, Condition
from webhookproxy.alerts.people import ZONE
from webhookproxy.models import Alert, Outage
from webhookproxy.models.alerts.alerts import Ending
from webhookproxy.reasons import (
    CONNECTION_WORDS,
    DELIVERY_WORDS,
    DISK_WORDS,
    STORING_WORDS,
    ConnectionReason,
    DeliveryReason,
    DiskReason,
    StoringReason,
    gap_words,
)
from webhookproxy.reasons.trouble_words import LASTING, STATUS_ADVICE
from webhookproxy.reasons.words import plural, thousands

Code = TypeVar("Code", bound=StrEnum)

_NOT_RESENT = "a 3C Plus não reenvia os eventos desse intervalo"
# After "{where}: "; {since} is "desde 18:01 (há 5 min)".
_BEGUN = {
    Condition.CONNECTION_LOST: "sem conexão com a 3C Plus {since}. {cause}",
    Condition.TOKEN_REFUSED: "a 3C Plus recusa o token {since}.",
    Condition.TOKEN_EXPIRES: "o token vence em {expiry}.",
    Condition.SILENCE: "conectada, mas sem eventos {since}; a esta hora eles costumam chegar.",
    Condition.GAP: "nenhum evento recebido {span}. {cause} {back}",
    Condition.WEBHOOK_FAILING: "{cause}, {since}.",
    Condition.WEBHOOK_PAUSED: "sua URL respondeu que não existe mais (status 410), e o webhook está"
    " pausado {since}. Os eventos ficam guardados.",
    Condition.WEBHOOK_REFUSING: "sua URL recusa parte dos eventos{status} {since}.",
    Condition.WEBHOOK_BEHIND: "a fila cresce {since}: os eventos chegam mais rápido do que sua URL"
    " os recebe.",
    Condition.NOT_STORING: "os eventos não estão sendo gravados {since}. {cause}",
    Condition.NO_OWNER: "nenhum processo cuida das conexões com a 3C Plus {since}: os eventos se"
    " perdem.",
    Condition.DISK_FULL: "{cause} Isso dura {since}.",
}
# After "{where}: "; {at} is "às 18:20", {lasted} "19 min (desde 18:01)".
_OVER = {
    Condition.CONNECTION_LOST: "conectada de novo {at}. Ficou {lasted} sem conexão{back}",
    Condition.TOKEN_REFUSED: "o token foi aceito {at}. Foi recusado por {lasted}{back}",
    Condition.TOKEN_EXPIRES: "o vencimento do token mudou.",
    Condition.SILENCE: "os eventos voltaram {at}, depois de {lasted}.",
    Condition.WEBHOOK_FAILING: "voltou a receber {at}. Falhou por {lasted}.",
    Condition.WEBHOOK_PAUSED: "reativado {at}. Ficou pausado por {lasted}.",
    Condition.WEBHOOK_REFUSING: "parou de recusar {at}. Recusou parte dos eventos por {lasted}.",
    Condition.WEBHOOK_BEHIND: "a fila parou de crescer {at}, depois de {lasted}.",
    Condition.NOT_STORING: "os eventos são gravados de novo {at}, depois de {lasted}.",
    Condition.NO_OWNER: "as conexões voltaram a ter quem cuide delas {at}, depois de {lasted}.",
    Condition.DISK_FULL: "há espaço no disco de novo {at}, depois de {lasted}.",
}


def begun(alert: Alert, now: datetime, recovered: str = "") -> str:
    """Return the sentence of a state that lasts, to follow the name of what is in it.

    `recovered` says how many calls of a gap came back; empty if no one asked for them.
    """
    condition = Condition(alert.condition)
    status = f" com status {alert.status}" if alert.status else ""
    return _BEGUN[condition].format(
        since=_since(alert, now),
        cause=cause(alert),
        status=status,
        expiry=f"{(alert.since + timedelta(days=EXPIRY_DAYS)).astimezone(ZONE):%d/%m}",
        span=span(alert, now),
        back=recovered or f"Lembre: {_NOT_RESENT}.",
    )


def begun_for_some(companies: int, alert: Alert, now: datetime) -> str:
    """Return the sentence of a time in which so many companies, and not all, have no owner."""
    many = plural(companies, "empresa", "empresas")
    since = _since(alert, now)
    return f"{many} sem conexão: nenhum processo cuida delas {since}, e os eventos se perdem."


def over(alert: Alert, now: datetime, recovered: str = "") -> str:
    """Return the sentence of a state that ended, to follow the name of what was in it.

    `recovered` says how many calls came back; empty if no one asked for them.
    """
    at = _at(alert.closed_at or now, now)
    if alert.ending == Ending.SWITCHED_OFF:
        return f"não é mais observado: foi desligado, pausado ou apagado {at}."
    if alert.ending == Ending.NOT_USUAL:
        return f"nenhum evento chegou até {at.removeprefix('às ')}, e agora não é hora deles."
    lasted = duration((alert.closed_at or now) - alert.since)
    return _OVER[Condition(alert.condition)].format(
        at=at,
        lasted=f"{lasted} (desde {moment(alert.since, now)})",
        back=f". {recovered}" if recovered else f", e {_NOT_RESENT}.",
    )


def cause(alert: Alert) -> str:
    """Return our own sentence for why it began; of a webhook without a full stop."""
    condition, reason = Condition(alert.condition), alert.reason
    if condition is Condition.WEBHOOK_FAILING:
        return _delivery_cause(alert)
    if condition is Condition.DISK_FULL:
        return DISK_WORDS[_one_of(DiskReason, reason, DiskReason.DISK_NEARLY_FULL)].what
    if condition is Condition.NOT_STORING:
        storing = _one_of(StoringReason, reason, StoringReason.DATABASE_REFUSES)
        return STORING_WORDS[storing].filled().then
    if condition in (Condition.CONNECTION_LOST, Condition.GAP):
        connection = _one_of(ConnectionReason, reason, ConnectionReason.DROPPED)
        is_over = condition is Condition.GAP
        return gap_words(connection, is_over=is_over, died=False)
    return ""


def advice(alert: Alert) -> str:
    """Return what helps; "" if nothing does."""
    condition = Condition(alert.condition)
    if condition is Condition.TOKEN_REFUSED:
        return CONNECTION_WORDS[ConnectionReason.REFUSED].you
    if condition is Condition.TOKEN_EXPIRES:
        return "Gere um token novo na 3C Plus e troque-o no cadastro da empresa antes desse dia."
    if condition is Condition.SILENCE:
        return "Em um feriado isso é normal. Se há agentes trabalhando, confira o token."
    if condition is Condition.WEBHOOK_BEHIND:
        return "Responda com status 200 antes de processar o evento, ou aumente o paralelismo."
    if condition in (Condition.WEBHOOK_FAILING, Condition.WEBHOOK_REFUSING):
        keeps = "Guardamos os eventos e tentamos de novo. "
        known = STATUS_ADVICE.get(alert.status or 0)
        reason = _one_of(DeliveryReason, alert.reason, DeliveryReason.CIRCUIT_OPEN)
        return keeps + (known or DELIVERY_WORDS[reason].filled().you)
    if condition is Condition.CONNECTION_LOST:
        return "Tentamos reconectar sem parar; se demorar, veja se a 3C Plus está no ar."
    if condition in (Condition.NOT_STORING, Condition.NO_OWNER):
        return STORING_WORDS[StoringReason.NO_OWNER].you
    return ""


def account(outage: Outage) -> str:
    """Return how the events of a webhook's outage ended, in one sentence."""
    if not outage.waited:
        return "Nenhum evento esperou."
    many = plural(outage.waited, "evento esperou", "eventos esperaram")
    if outage.is_cut:
        many = f"Dos primeiros {thousands(outage.waited)} eventos"
    ended = [plural(outage.delivered, "entregue", "entregues")]
    if outage.missed or not outage.on_the_way:
        ended.append(plural(outage.missed, "perdido", "perdidos"))
    if outage.on_the_way:
        ended.append(f"{thousands(outage.on_the_way)} ainda saindo")
    calls = ""
    if outage.calls:
        calls = f" ({plural(outage.calls, 'ligação', 'ligações')})"
    return f"{many}{calls}: {', '.join(ended)}."


def moment(instant: datetime, now: datetime) -> str:
    """Return the time of day in Brasília, with the day if it is not today's."""
    local, today = instant.astimezone(ZONE), now.astimezone(ZONE).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%d/%m %H:%M}"


def span(alert: Alert, now: datetime) -> str:
    """Return "de 18:02 a 18:44 (42 min)" for a time that is over."""
    ended = alert.closed_at or now
    lasted = duration(ended - alert.since)
    return f"de {moment(alert.since, now)} a {moment(ended, now)} ({lasted})"


def duration(time: timedelta) -> str:
    """Return a length of time in at most two units: "42 min", "2 h 30 min", "3 dias"."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return "menos de 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} dias"


def _since(alert: Alert, now: datetime) -> str:
    return f"desde {moment(alert.since, now)} (há {duration(now - alert.since)})"


def _at(instant: datetime, now: datetime) -> str:
    text = moment(instant, now)
    return f"em {text}" if "/" in text else f"às {text}"


def _delivery_cause(alert: Alert) -> str:
    reason = _one_of(DeliveryReason, alert.reason, DeliveryReason.FAILED_STATUS)
    text = LASTING.get(reason) or DELIVERY_WORDS[reason].what.removesuffix(".")
    filled = text.format(
        status=alert.status or "de erro", target="outro endereço", since="", when="", condition=""
    )
    return filled[:1].lower() + filled[1:] if filled.startswith(("Sua", "O ", "A ")) else filled


def _one_of(kind: type[Code], code: str | None, default: Code) -> Code:
    """Return the reason with this code; a newer version may have stored one that is not known."""
    try:
        return kind(code or default)
    except ValueError:
        return default
