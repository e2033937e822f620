"""Every state and reason a delivery, an event or a connection can have, and its words."""

from __future__ import annotations

from webhookproxy.reasons.codes import (
    ConnectionReason,
    ConnectionState,
    DeliveryReason,
    DeliveryState,
    EventNote,
)
from webhookproxy.reasons.connection_words import CONNECTION_WORDS
from webhookproxy.reasons.delivery_words import DELIVERY_WORDS, EVENT_WORDS, delivery_words
from webhookproxy.reasons.words import CONNECTION_LABELS, DELIVERY_LABELS, Words

__all__ = [
    "CONNECTION_LABELS",
    "CONNECTION_WORDS",
    "DELIVERY_LABELS",
    "DELIVERY_WORDS",
    "EVENT_WORDS",
    "ConnectionReason",
    "ConnectionState",
    "DeliveryReason",
    "DeliveryState",
    "EventNote",
    "Words",
    "delivery_words",
]
