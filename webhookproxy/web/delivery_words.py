"""A delivery, or one attempt at it, in words: what happened, since when, what next, what to do."""

from __future__ import annotations

import time
from typing import Protocol

from webhookproxy.models import Attempt
from webhookproxy.models.types import from_ms
from webhookproxy.reasons import (
    DELIVERY_WORDS,
    DeliveryReason,
    DeliveryState,
    Words,
    delivery_words,
)
from webhookproxy.web.filters import ago, clock


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


def shown_words(delivery: Told, timezone: str, since_ms: int | None = None) -> Words:
    """The words for a delivery as it is now, with the times in that timezone."""
    words = delivery_words(DeliveryState(delivery.state), DeliveryReason(delivery.reason))
    due_ms = delivery.due_ms
    soon = due_ms is None or due_ms <= time.time() * 1000
    return words.filled(
        when="em breve" if soon or due_ms is None else ago(from_ms(due_ms)),
        since="há pouco" if since_ms is None else clock(since_ms, timezone),
        status=delivery.status or "de erro",
    )


def attempt_words(attempt: Attempt, timezone: str) -> str:
    """What came of one attempt, in one sentence."""
    words = DELIVERY_WORDS[DeliveryReason(attempt.reason)].filled(
        since=clock(attempt.started_ms, timezone), status=attempt.status or "de erro"
    )
    return words.what
