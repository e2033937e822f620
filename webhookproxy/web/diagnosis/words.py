"""The steps of a diagnosis about the token and about each URL, in words."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import url_for

from webhookproxy.database.clock import utc_now
from webhookproxy.delivery.sending.reach import Reach, Stage
from webhookproxy.delivery.sending.trial import TrialResult
from webhookproxy.models import Webhook
from webhookproxy.models.types import from_ms
from webhookproxy.reasons import (
    CONNECTION_WORDS,
    DELIVERY_WORDS,
    ConnectionReason,
    ConnectionState,
    words_of_attempt,
)
from webhookproxy.web.connection.panel import Shown
from webhookproxy.web.diagnosis.findings import Mark, Step
from webhookproxy.web.diagnosis.live import DEADLINE_SECONDS, Tried
from webhookproxy.web.shared.formats import ago, clock, duration
from webhookproxy.web.webhooks.words import ShownWebhook

# A certificate that ends sooner is mentioned.
ENDS_SOON = timedelta(days=14)
_NAMES = {
    Stage.NAME: "Nome do domínio",
    Stage.ADDRESS: "Endereço",
    Stage.CONNECTION: "Conexão",
    Stage.TLS: "Certificado (TLS)",
}
_POST = "POST de teste"
_LATEST = "Últimos envios"
_NOT_YET = "Ainda não verificado: clique em “Verificar agora”."


def token_step(shown: Shown, timezone: str, asked: ConnectionReason | None) -> Step:
    """Say whether 3C Plus accepts the token; `asked` is its answer just now, if it was asked."""
    if asked is not None:
        return _asked_step(asked)
    since = clock(shown.since, timezone)
    if shown.state is ConnectionState.CONNECTED:
        finding = f"A 3C Plus aceitou o token: conectada desde {since}."
        return Step(Mark.GOOD, "Token", finding)
    if shown.state is ConnectionState.TOKEN_REFUSED:
        return Step(Mark.BAD, "Token", shown.words.what, shown.words.you)
    if shown.state is ConnectionState.DISCONNECTED:
        return Step(Mark.UNKNOWN, "Token", _NOT_YET)
    return Step(
        Mark.UNKNOWN,
        "Token",
        "Não dá para saber agora: só a conexão, quando abrir, mostra se a 3C Plus aceita o token.",
    )


def _asked_step(asked: ConnectionReason) -> Step:
    if asked is ConnectionReason.ACCEPTED:
        finding = "A 3C Plus aceitou o token agora, em um socket de teste que já fechamos."
        return Step(Mark.GOOD, "Token", finding)
    # Without what is done next: this was a test.
    words = CONNECTION_WORDS[asked].filled(since="agora")
    if asked is ConnectionReason.REFUSED:
        finding = "Token inválido: a 3C Plus recusou o token desta empresa agora."
        return Step(Mark.BAD, "Token", finding, words.you)
    return Step(Mark.BAD, "Token", words.what, words.you)


def trouble_steps(shown: ShownWebhook) -> list[Step]:
    """Say what is wrong with a webhook by its last deliveries; nothing if all is well."""
    trouble, words, answer = shown.trouble, shown.words, shown.answer
    if trouble is None or words is None:
        return []
    link = (url_for("webhooks.show", webhook_id=shown.webhook.id), "Ver o webhook")
    advice = words.you
    if answer is not None:
        link = (
            url_for(
                "deliveries.show",
                delivery_id=answer.delivery_id,
                tentativa=answer.number,
                _anchor=f"tentativa-{answer.number}",
            ),
            "Ver a tentativa",
        )
    if answer is not None and answer.status:
        said = f", “{answer.line}”" if answer.line else ""
        when = ago(from_ms(answer.started_ms))
        advice = f"{words.you} Última resposta, {when}: HTTP {answer.status}{said}."
    mark = Mark.BAD if shown.colour == "red" else Mark.ODD
    return [Step(mark, _LATEST, words.what, advice, link, whose=shown.webhook.name)]


def url_steps(webhook: Webhook, tried: Tried | None, why_no_post: str) -> list[Step]:
    """Describe the way to a URL, step by step; `why_no_post` says why nothing was sent."""
    if tried is None:
        return [Step(Mark.UNKNOWN, "URL", _NOT_YET)]
    if tried.refused is not None:
        advice = "Corrija a URL do webhook."
        return [Step(Mark.BAD, "URL", tried.refused.portuguese, advice)]
    if tried.reach is None:
        return [Step(Mark.BAD, "URL", _too_long(DEADLINE_SECONDS))]
    steps = _way_steps(webhook, tried.reach)
    if (failed := tried.reach.failed) is not None:
        left = [_NAMES[stage] for stage in list(Stage)[list(Stage).index(failed) + 1 :]]
        finding = f"Não chegamos a: {', '.join([*left, _POST])}."
        return [*steps, Step(Mark.UNKNOWN, "O resto", finding)]
    return [*steps, _post_step(webhook, tried, why_no_post)]


def _way_steps(webhook: Webhook, reach: Reach) -> list[Step]:
    """Return the steps up to the one that failed, or all of them."""
    steps: list[Step] = []
    for stage in Stage:
        if stage is reach.failed and reach.reason is not None:
            words = DELIVERY_WORDS[reach.reason].filled()
            return [*steps, Step(Mark.BAD, _NAMES[stage], words.what, words.you)]
        steps.append(_passed(webhook, stage, reach))
    return steps


def _passed(webhook: Webhook, stage: Stage, reach: Reach) -> Step:
    if stage is Stage.TLS:
        return _tls_step(reach)
    host = urlsplit(webhook.url).hostname or ""
    said = {
        Stage.NAME: f"{host} foi encontrado.",
        Stage.ADDRESS: "É um endereço para o qual podemos enviar.",
        Stage.CONNECTION: "O servidor atendeu.",
    }
    return Step(Mark.GOOD, _NAMES[stage], said[stage])


def _tls_step(reach: Reach) -> Step:
    name = _NAMES[Stage.TLS]
    if not reach.secure:
        finding = "A URL é http: o que enviamos vai sem criptografia."
        return Step(Mark.NOTE, name, finding, "Fora de uma rede sua, use https.")
    if reach.valid_until is None:
        return Step(Mark.GOOD, name, "O certificado é válido.")
    until = reach.valid_until.strftime("%d/%m/%Y")
    if reach.valid_until - utc_now() < ENDS_SOON:
        advice = "Renove-o antes: depois disso nada mais é entregue."
        return Step(Mark.ODD, name, f"O certificado só vale até {until}.", advice)
    return Step(Mark.GOOD, name, f"O certificado é válido até {until}.")


def _post_step(webhook: Webhook, tried: Tried, why_no_post: str) -> Step:
    if why_no_post:
        return Step(Mark.UNKNOWN, _POST, why_no_post)
    if tried.result is None:
        return Step(Mark.BAD, _POST, _too_long(DEADLINE_SECONDS))
    return _answer_step(webhook, tried.result)


def _answer_step(webhook: Webhook, result: TrialResult) -> Step:
    outcome = result.outcome
    took = duration(outcome.duration_ms)
    if not result.accepted:
        words = words_of_attempt(outcome.reason, outcome.status, outcome.detail)
        return Step(Mark.BAD, _POST, f"{words.what} Levou {took}.", words.you)
    finding = f"Aceito: HTTP {outcome.status}, em {took}."
    if outcome.duration_ms > webhook.timeout * 500:
        limit = duration(webhook.timeout * 1000)
        advice = f"O limite deste webhook é {limit}: responda antes de processar o evento."
        return Step(Mark.ODD, _POST, finding, advice)
    return Step(Mark.GOOD, _POST, finding)


def _too_long(seconds: float) -> str:
    return f"Não terminou em {duration(seconds * 1000)}."
