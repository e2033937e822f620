"""A delivery, or one attempt at it, in words: what happened, since when, what next, what to do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from webhookproxy.models import Attempt, Webhook
from webhookproxy.models.types import from_ms, optional_ms
from webhookproxy.reasons import (
    DELIVERY_WORDS,
    DeliveryReason,
    DeliveryState,
    Words,
    delivery_words,
)
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.filters import ago, clock

WAITING = (DeliveryState.QUEUED, DeliveryState.RETRYING)


class Told(Protocol):
    """What of a delivery its words are made from."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def due_ms(self) -> int | None: ...
    @property
    def status(self) -> int | None: ...


def shown_words(delivery: Told, webhook: Webhook, timezone: str, since_ms: int) -> Words:
    """The words for a delivery as it is now, with the times in that timezone.

    One that waits waits for its webhook first of all: paused, or failing with everything.
    """
    words = delivery_words(DeliveryState(delivery.state), DeliveryReason(delivery.reason)).filled(
        when=_when(delivery.due_ms),
        since=clock(since_ms, timezone),
        status=delivery.status or "de erro",
    )
    held = _held(webhook, timezone) if delivery.state in WAITING else None
    if held is None:
        return words
    # What came of the last attempt is still said; what comes next is the webhook's matter.
    tried = delivery.state == DeliveryState.RETRYING
    return replace(words, then=held.then, you=held.you) if tried else held


def _held(webhook: Webhook, timezone: str) -> Words | None:
    """The words for what keeps everything of a webhook waiting, if anything does."""
    opened = webhook.health.circuit_opened_at
    if webhook.state == WebhookState.PAUSED and webhook.paused_at is not None:
        since = clock(webhook.paused_at, timezone)
        return DELIVERY_WORDS[DeliveryReason.WEBHOOK_PAUSED].filled(since=since)
    if opened is None:
        return None
    return DELIVERY_WORDS[DeliveryReason.CIRCUIT_OPEN].filled(
        when=_when(optional_ms(webhook.health.next_probe_at)), since=clock(opened, timezone)
    )


def _when(due_ms: int | None) -> str:
    past = due_ms is None or due_ms <= time.time() * 1000
    return "em breve" if past or due_ms is None else ago(from_ms(due_ms))


def attempt_words(attempt: Attempt, timezone: str) -> str:
    """What came of one attempt, in one sentence."""
    words = DELIVERY_WORDS[DeliveryReason(attempt.reason)].filled(
        since=clock(attempt.started_ms, timezone), status=attempt.status or "de erro"
    )
    return words.what
