"""An outage in words: when it was, what it cost, why, and a text for the client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Outage, Webhook
from webhookproxy.models.outages import OutageKind
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason
from webhookproxy.web.shared.formats import number, plural

# An account is counted for the first time a second after the end of its outage.
COUNTED_WITHIN = timedelta(seconds=10)
# Of a receiver that refuses and accepted nothing since it began to: it may be down altogether.
_REFUSING_ALL = "refusing all"
_LASTING = {
    _REFUSING_ALL: "sua URL recusa tudo",
    OutageKind.FAILING: "seu CRM está fora",
    OutageKind.REFUSING: "sua URL recusa parte dos eventos",
    OutageKind.PAUSED: "o webhook está pausado",
}
_PAST = {
    OutageKind.FAILING: "seu CRM ficou fora",
    OutageKind.REFUSING: "sua URL recusou parte dos eventos",
    OutageKind.PAUSED: "o webhook ficou pausado",
}
# The same after a webhook's name.
_LABELS = {
    _REFUSING_ALL: "recusando tudo",
    OutageKind.FAILING: "fora do ar",
    OutageKind.REFUSING: "recusando parte dos eventos",
    OutageKind.PAUSED: "pausado",
}
# The same for people who do not know this program; {name} is the webhook's.
_FOR_CLIENT = {
    _REFUSING_ALL: ("{name} recusa todos os eventos", "{name} recusou parte dos eventos"),
    OutageKind.FAILING: ("{name} está fora do ar", "{name} ficou fora do ar"),
    OutageKind.REFUSING: ("{name} recusa parte dos eventos", "{name} recusou parte dos eventos"),
    OutageKind.PAUSED: ("o envio para {name} está pausado", "o envio para {name} ficou pausado"),
}


@dataclass(frozen=True, slots=True)
class ShownOutage:
    """An outage as a page shows it.

    `when` and `what` are one sentence with `account`: "Das 16:08 às 16:11" "seu CRM ficou fora":
    "183 eventos esperaram, …"; so is `label` behind the webhook's name. `cause` is a sentence of
    its own.
    """

    outage: Outage
    webhook: Webhook
    when: str
    what: str
    label: str
    account: str
    cause: str
    client_text: str
    drawing: str
    colour: str


def shown_outage(outage: Outage, webhook: Webhook, timezone: str) -> ShownOutage:
    """Return how the page describes an outage, with the times in that timezone."""
    kind = _kind(outage, webhook)
    what = _LASTING[kind] if outage.ended_at is None else _PAST[OutageKind(outage.kind)]
    account = account_words(outage, webhook)
    drawing, colour = _look(outage)
    return ShownOutage(
        outage,
        webhook,
        when=span_words(outage, timezone),
        what=what,
        label=_LABELS[kind],
        account=account,
        cause=_cause(outage),
        client_text=client_text(outage, webhook, timezone),
        drawing=drawing,
        colour=colour,
    )


def _kind(outage: Outage, webhook: Webhook) -> str:
    """Return the kind of an outage, or _REFUSING_ALL."""
    if outage.kind != OutageKind.REFUSING or outage.ended_at is not None:
        return outage.kind
    success = webhook.health.last_success_at
    return outage.kind if success is not None and success >= outage.began_at else _REFUSING_ALL


def span_words(outage: Outage, timezone: str) -> str:
    """Return "Das 16:08 às 16:11" or "Desde 16:08", with the days unless both are today."""
    zone, ended = ZoneInfo(timezone), outage.ended_at
    began = outage.began_at.astimezone(zone)
    if ended is None:
        return f"Desde {_moment(began)}"
    end = ended.astimezone(zone)
    if began.date() == end.date():
        day = "" if _is_today(began) else f"Em {began:%d/%m}, das "
        return f"{day or 'Das '}{began:%H:%M} às {end:%H:%M}"
    return f"De {_moment(began)} a {_moment(end)}"


def account_words(outage: Outage, webhook: Webhook) -> str:
    """Return how the events ended, or how many wait for the webhook now."""
    refused = outage.kind == OutageKind.REFUSING
    if outage.ended_at is None:
        if _kind(outage, webhook) == _REFUSING_ALL:
            return "nenhum evento foi aceito desde então"
        if refused:
            return "os outros continuam chegando"
        waiting = webhook.health.waiting
        return plural(waiting, "evento esperando, guardado", "eventos esperando, todos guardados")
    if _is_uncounted(outage):
        return "contando os eventos"
    if outage.on_the_way:
        done = f"{number(outage.delivered)} de {number(outage.waited)} já entregues"
        lost = f", {plural(outage.missed, 'perdido', 'perdidos')}" if outage.missed else ""
        cut = f"{_cut(outage)}, " if outage.is_cut else ""
        return f"{cut}{done}{lost}, os outros saindo"
    if not outage.waited:
        return "nenhum evento foi recusado de vez" if refused else "nenhum evento esperou"
    first = ("evento recusado", "eventos recusados")
    later = ("entregue depois", "entregues depois")
    if not refused:
        first, later = ("evento esperou", "eventos esperaram"), ("entregue", "entregues")
    parts = [
        _cut(outage) or plural(outage.waited, *first),
        plural(outage.delivered, *later),
        plural(outage.missed, "perdido", "perdidos"),
    ]
    if outage.calls:
        parts.append(plural(outage.calls, "ligação", "ligações"))
    return ", ".join(parts)


def client_text(outage: Outage, webhook: Webhook, timezone: str) -> str:
    """Return a text for the client: what happened, and whether anything was lost."""
    name, began = webhook.name, outage.began_at.astimezone(ZoneInfo(timezone))
    lasting, past = _FOR_CLIENT[_kind(outage, webhook)]
    if outage.ended_at is None:
        many = plural(webhook.health.waiting, "evento está guardado", "eventos estão guardados")
        rest = f"{many}, e tudo é entregue assim que voltar."
        rest = "" if outage.kind == OutageKind.REFUSING else f" {rest}"
        return f"Desde {began:%H:%M} de {began:%d/%m}, {lasting.format(name=name)}.{rest}"
    end = outage.ended_at.astimezone(ZoneInfo(timezone))
    when = f"De {began:%d/%m %H:%M} a {end:%d/%m %H:%M}"
    if began.date() == end.date():
        when = f"Em {began:%d/%m}, das {began:%H:%M} às {end:%H:%M}"
    return f"{when}, {past.format(name=name)}. {_result(outage)}"


def _result(outage: Outage) -> str:
    calls = f", de {plural(outage.calls, 'ligação', 'ligações')}," if outage.calls else ""
    refused = outage.kind == OutageKind.REFUSING
    verb = ("foi recusado", "foram recusados") if refused else ("esperou", "esperaram")
    if not outage.waited:
        return "Nenhum evento se perdeu."
    many = f"{plural(outage.waited, 'evento', 'eventos')}{calls} {verb[outage.waited != 1]}"
    if outage.on_the_way:
        return f"{many}: {number(outage.delivered)} já entregues, os outros estão saindo agora."
    if not outage.missed:
        return f"{many}, e tudo foi entregue depois: nada se perdeu."
    if not outage.delivered:
        return f"{many} e {'não foi entregue' if outage.waited == 1 else 'não foram entregues'}."
    lost = plural(outage.missed, "não foi entregue", "não foram entregues")
    return f"{many}: {plural(outage.delivered, 'entregue depois', 'entregues depois')}, {lost}."


def _is_uncounted(outage: Outage) -> bool:
    """Return whether nothing was counted, and the first count may still be under way."""
    if outage.waited or outage.settled_at is not None or outage.ended_at is None:
        return False
    return utc_now() - outage.ended_at < COUNTED_WITHIN


def _cut(outage: Outage) -> str:
    """Return what an account is about that could not count everything; "" for a whole one."""
    return f"dos primeiros {number(outage.waited)} eventos" if outage.is_cut else ""


def _cause(outage: Outage) -> str:
    if outage.reason == DeliveryReason.WEBHOOK_PAUSED:
        return "Alguém pausou o webhook."
    words = DELIVERY_WORDS[DeliveryReason(outage.reason)]
    return words.filled(status=outage.status or "de erro").what


def _look(outage: Outage) -> tuple[str, str]:
    """Return the drawing and the colour."""
    if outage.ended_at is None:
        paused = outage.kind == OutageKind.PAUSED
        return ("player-pause", "amber") if paused else ("alert-triangle", "red")
    if outage.missed:
        return "x", "red"
    if outage.on_the_way or _is_uncounted(outage):
        return "hourglass", "amber"
    return "circle-check", "green"


def _moment(moment: datetime) -> str:
    return f"{moment:%H:%M}" if _is_today(moment) else f"{moment:%d/%m %H:%M}"


def _is_today(moment: datetime) -> bool:
    return moment.date() == utc_now().astimezone(moment.tzinfo).date()
