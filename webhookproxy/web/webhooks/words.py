"""The state of a webhook, in one word with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from webhookproxy.models import Webhook
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason, Words
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.deliveries.words import reason_of_pause
from webhookproxy.web.shared.formats import ago, clock


@dataclass(frozen=True, slots=True)
class ShownWebhook:
    """A webhook as a page shows it: one word, one colour, and a sentence where one is needed."""

    webhook: Webhook
    label: str
    drawing: str
    colour: str
    words: Words | None
    is_problem: bool


_PAUSED_LABELS = {
    DeliveryReason.WEBHOOK_PAUSED: "Pausado",
    DeliveryReason.GONE: "Pausado: a URL não existe mais",
    DeliveryReason.MAKE_OFF: "Pausado: cenário do Make desligado",
}


def shown_webhook(webhook: Webhook, timezone: str = DEFAULT_TIMEZONE) -> ShownWebhook:
    """Return how the page describes a webhook now, with the times in that timezone."""
    if webhook.state == WebhookState.PAUSED:
        reason = reason_of_pause(webhook)
        gone = reason is not DeliveryReason.WEBHOOK_PAUSED
        label = _PAUSED_LABELS[reason]
        words = _words(webhook, reason, timezone, webhook.paused_at)
        return ShownWebhook(webhook, label, "player-pause", "red" if gone else "grey", words, gone)
    if webhook.state == WebhookState.SIMULATED:
        words = _words(webhook, DeliveryReason.SIMULATION, timezone, None)
        return ShownWebhook(webhook, "Simulado", "ghost", "blue", words, False)
    opened = webhook.health.circuit_opened_at
    if opened is not None:
        words = _words(webhook, DeliveryReason.CIRCUIT_OPEN, timezone, opened)
        return ShownWebhook(webhook, "Falhando", "alert-triangle", "red", words, True)
    return ShownWebhook(webhook, "Ativo", "check", "green", None, False)


def _words(
    webhook: Webhook, reason: DeliveryReason, timezone: str, since: datetime | None
) -> Words:
    probe = webhook.health.next_probe_at
    return DELIVERY_WORDS[reason].filled(
        when=ago(probe) if probe is not None and probe > datetime.now(UTC) else "agora",
        since="há pouco" if since is None else clock(since, timezone),
        status=webhook.health.last_error_status or "de erro",
    )
