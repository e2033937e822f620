"""The steps of a diagnosis about events that do not arrive, from our own tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Company, Gap, Webhook
from webhookproxy.reasons import (
    ConnectionState,
    DeliveryState,
    Words,
)
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.connection.panel import Shown
from webhookproxy.web.diagnosis.findings import Mark, Step
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.formats import ago, clock, plural
from webhookproxy.web.webhooks.words import ShownWebhook

# A connection that was open for this time without any event may have the wrong token.
FIRST_EVENT = timedelta(hours=1)
_NAMES_MAX = 6


def connection_step(company: Company, shown: Shown) -> Step:
    """Say whether there is a socket."""
    link = (url_for("companies.show", company_id=company.id), "Ver a conexão")
    if shown.is_connected:
        since = clock(shown.since, company.timezone)
        return Step(Mark.GOOD, "Conexão", f"Conectada desde {since}.")
    moving = (ConnectionState.CONNECTING, ConnectionState.DISCONNECTING)
    mark = Mark.ODD if shown.state in moving else Mark.BAD
    return Step(mark, "Conexão", shown.words.what, shown.words.you, link)


def events_steps(
    session: Session, company: Company, shown: Shown, webhooks: Sequence[ShownWebhook]
) -> list[Step]:
    """Say whether anything else keeps events from arriving."""
    names = figures.events_by_name(session, company.id, figures.this_hour() - 23)
    rows = [each.webhook for each in webhooks]
    return [
        _silence_step(company, shown),
        *_held_steps(webhooks),
        *_choice_steps(company, rows, names),
        *_filter_steps(session, rows),
        _gap_step(session, company),
    ]


def _silence_step(company: Company, shown: Shown) -> Step:
    name, heard = "Silêncio", company.connection.last_event_at
    if not shown.is_connected:
        return Step(Mark.UNKNOWN, name, "Só com a conexão aberta há o que ouvir.")
    if shown.silence is not None:
        return Step(Mark.ODD, name, shown.silence.words.what, shown.silence.words.you)
    if heard is not None and heard >= shown.since:
        return Step(Mark.GOOD, name, f"O último evento chegou {ago(heard)}.", link=_events(company))
    finding = f"A conexão abriu {ago(shown.since)} e nenhum evento chegou ainda."
    if heard is None and utc_now() - shown.since > FIRST_EVENT:
        advice = "Se há agentes trabalhando, confirme que o token é de um gestor."
        return Step(Mark.ODD, name, finding, advice)
    return Step(Mark.NOTE, name, finding, "A esta hora isso ainda pode ser normal.")


def _held_steps(webhooks: Sequence[ShownWebhook]) -> Iterator[Step]:
    """Name the webhooks that are paused or only simulate; one line if all send."""
    # What is wrong with a webhook stands with its URL.
    held = [each for each in webhooks if each.words is not None and not each.is_problem]
    yield from (_held(each, each.words) for each in held if each.words is not None)
    if webhooks and not any(each.words for each in webhooks):
        count = plural(len(webhooks), "webhook ativo", "webhooks ativos")
        yield Step(Mark.GOOD, "Webhooks", f"{count}, sem falhas agora.")


def _held(shown: ShownWebhook, words: Words) -> Step:
    link = (url_for("webhooks.show", webhook_id=shown.webhook.id), "Ver o webhook")
    finding = f"{shown.label}. {words.what}"
    return Step(Mark.ODD, "Webhook", finding, words.you, link, whose=shown.webhook.name)


def _choice_steps(
    company: Company, webhooks: Sequence[Webhook], names: Collection[str]
) -> Iterator[Step]:
    """Name events that no webhook asks for, and webhooks whose events do not come."""
    name = "Escolha de eventos"
    if not webhooks:
        yield Step(
            Mark.BAD,
            name,
            "Esta empresa não tem webhook: os eventos chegam e ficam só aqui, por um dia.",
            "Crie um webhook com a URL que deve recebê-los.",
            (url_for("companies.show", company_id=company.id), "Ver a empresa"),
        )
        return
    if not names:
        yield Step(Mark.UNKNOWN, name, "Nenhum evento em 24 horas: não há o que comparar.")
        return
    in_vain = [each for each in webhooks if each.events and not set(each.events) & set(names)]
    for each in in_vain:
        yield _in_vain(each, names)
    asked = {event for each in webhooks for event in each.events or ()}
    everything = any(each.events is None for each in webhooks)
    unasked = [] if everything else [event for event in names if event not in asked]
    if unasked:
        count = plural(len(unasked), "tipo de evento", "tipos de evento")
        finding = f"Nenhum webhook pede {count} das últimas 24 horas: {_some(unasked)}."
        advice = "Se o seu sistema precisa deles, marque-os."
        yield Step(Mark.NOTE, name, finding, advice, _events(company))
    elif not in_vain:
        yield Step(Mark.GOOD, name, "Tudo o que chegou em 24 horas é pedido por algum webhook.")


def _in_vain(webhook: Webhook, names: Collection[str]) -> Step:
    return Step(
        Mark.ODD,
        "Escolha de eventos",
        f"Só pede eventos que não chegaram em 24 horas: {_some(webhook.events or ())}.",
        f"Confira os nomes. O que mais chegou: {_some(list(names)[:3])}.",
        (url_for("webhook_editing.edit", webhook_id=webhook.id), "Editar o webhook"),
        whose=webhook.name,
    )


def _filter_steps(session: Session, webhooks: Sequence[Webhook]) -> Iterator[Step]:
    filtering = [each for each in webhooks if each.filters]
    for each in filtering:
        yield _filter_step(session, each, list(each.filters or {}))
    if webhooks and not filtering:
        yield Step(Mark.GOOD, "Filtros", "Nenhum webhook tem filtros.")


def _filter_step(session: Session, webhook: Webhook, names: Sequence[str]) -> Step:
    since = figures.this_hour() - 23
    ended = figures.deliveries_by_outcome(session, [webhook.id], since)
    left_out = sum(figures.by_hour(ended, {DeliveryState.FILTERED}).values())
    count = plural(left_out, "evento não cumpriu", "eventos não cumpriram")
    place = url_for("deliveries.index", webhook=f"webhook_{webhook.id}", estado="filtrada")
    return Step(
        Mark.NOTE,
        "Filtros",
        f"Só envia {_some(names)} quando as condições valem. Em 24 horas, {count} as condições.",
        "Cada um desses fica como Filtrada, com a condição a que ele não atendeu.",
        (place, "Ver os filtrados"),
        whose=webhook.name,
    )


def _gap_step(session: Session, company: Company) -> Step:
    name = "Última lacuna"
    newest = select(Gap).where(Gap.company_id == company.id).order_by(Gap.started_at.desc())
    gap = session.scalar(newest.limit(1))
    if gap is None:
        return Step(Mark.GOOD, name, "Nenhuma: sempre que a conexão foi pedida, houve um socket.")
    began = clock(gap.started_at, company.timezone)
    until = "até agora" if gap.ended_at is None else f"a {clock(gap.ended_at, company.timezone)}"
    lost = "O que a 3C Plus emitiu nesse intervalo não chega: ela não reenvia."
    return Step(Mark.NOTE, name, f"De {began} {until}: {gap.why}", "" if gap.recovered else lost)


def _events(company: Company) -> tuple[str, str]:
    return url_for("events.index", empresa=f"company_{company.id}"), "Ver os eventos"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_MAX])
    left = len(names) - _NAMES_MAX
    return shown if left <= 0 else f"{shown} e mais {left}"


def why_no_post(webhook: Webhook, *, wanted: bool) -> str:
    """Return why no test may be sent to a webhook; "" if one may."""
    if not wanted:
        return "Você pediu para não enviar."
    if webhook.state == WebhookState.SIMULATED:
        return "O webhook está em modo simulado: nada é enviado."
    # A webhook that its receiver paused is exactly what a test is for.
    if webhook.state == WebhookState.PAUSED and webhook.paused_reason is None:
        return "O webhook está pausado por uma pessoa: nada é enviado."
    return ""
