"""The state of a webhook, in one word with a sentence, and the last answer of one in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Webhook
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason, Words
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.troubles.answers import LastAnswer, last_answers
from webhookproxy.troubles.now import Trouble, TroubleKind, trouble_of
from webhookproxy.troubles.words import trouble_words
from webhookproxy.web.shared.access import sees_personal
from webhookproxy.web.shared.formats import ago, clock


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """A webhook as a page shows it: one word, one colour, and a sentence where one is needed."""

    webhook: Webhook
    label: str
    drawing: str
    colour: str
    words: Words | None
    timezone: str = DEFAULT_TIMEZONE
    trouble: Trouble | None = None
    # What the receiver answered last; read only for webhooks that a page shows.
    answer: LastAnswer | None = None

    @property
    def is_problem(self) -> bool:
        """Return whether the user should look."""
        return self.trouble is not None


_LOOKS = {
    TroubleKind.FAILING: ("Falhando", "alert-triangle", "red"),
    TroubleKind.PAUSED: ("Pausado: a URL não existe mais", "player-pause", "red"),
    TroubleKind.REFUSING: ("Recusando parte", "alert-triangle", "amber"),
    TroubleKind.BEHIND: ("Atrasado", "clock", "amber"),
}


def shown_webhook(webhook: Webhook, timezone: str = DEFAULT_TIMEZONE) -> ShownWebhook:
    """Return how the page describes a webhook now, with the times in that timezone."""
    trouble = trouble_of(webhook, utc_now())
    if trouble is not None:
        return _in_trouble(webhook, trouble, timezone)
    if webhook.state == WebhookState.PAUSED:
        since = None if webhook.paused_at is None else clock(webhook.paused_at, timezone)
        words = DELIVERY_WORDS[DeliveryReason.WEBHOOK_PAUSED].filled(since=since)
        return ShownWebhook(webhook, "Pausado", "player-pause", "grey", words, timezone)
    if webhook.state == WebhookState.SIMULATED:
        words = DELIVERY_WORDS[DeliveryReason.SIMULATION].filled()
        return ShownWebhook(webhook, "Simulado", "ghost", "blue", words, timezone)
    return ShownWebhook(webhook, "Ativo", "check", "green", None, timezone)


def with_answers(session: Session, shown: Sequence[ShownWebhook]) -> list[ShownWebhook]:
    """Return the same webhooks; those in trouble have the last answer of their receiver."""
    answers = last_answers(session, [each.trouble for each in shown if each.trouble])
    return [
        replace(
            each,
            answer=answers[each.webhook.id],
            words=_words(each.webhook, each.trouble, each.timezone, answers[each.webhook.id]),
        )
        if each.trouble is not None and each.webhook.id in answers
        else each
        for each in shown
    ]


def _in_trouble(webhook: Webhook, trouble: Trouble, timezone: str) -> ShownWebhook:
    label, drawing, colour = _LOOKS[trouble.kind]
    if trouble.reason is DeliveryReason.MAKE_OFF and trouble.kind is TroubleKind.PAUSED:
        label = "Pausado: cenário do Make desligado"
    words = _words(webhook, trouble, timezone, None)
    return ShownWebhook(webhook, label, drawing, colour, words, timezone, trouble)


def _words(webhook: Webhook, trouble: Trouble, timezone: str, answer: LastAnswer | None) -> Words:
    probe = webhook.health.next_probe_at
    when = None
    if webhook.health.circuit_opened_at is not None:
        when = ago(probe) if probe is not None and probe > utc_now() else "agora"
    # Where a redirect leads may hold a person's data, as everything that a receiver answers.
    is_redirect = answer is not None and answer.reason == DeliveryReason.REDIRECTED
    return trouble_words(
        trouble,
        since=clock(trouble.since, timezone),
        when=when,
        target=answer.detail if answer is not None and is_redirect and sees_personal() else None,
    )
