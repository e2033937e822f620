"""Every state and reason of deliveries, events, connections and the store, and their words."""

from __future__ import annotations

from webhookproxy.reasons.absence_words import ABSENCE_WORDS
from webhookproxy.reasons.codes import (
    MARKERS,
    MISSED,
    WAITING,
    AbsenceReason,
    ConnectionReason,
    ConnectionState,
    DeliveryReason,
    DeliveryState,
    EventNote,
    RoomReason,
    StoringReason,
)
from webhookproxy.reasons.connection_words import CONNECTION_WORDS
from webhookproxy.reasons.delivery_words import DELIVERY_WORDS, EVENT_WORDS, delivery_words
from webhookproxy.reasons.store_words import ROOM_WORDS, STORING_WORDS
from webhookproxy.reasons.words import CONNECTION_LABELS, DELIVERY_LABELS, Words

__all__ = [
    "ABSENCE_WORDS",
    "CONNECTION_LABELS",
    "CONNECTION_WORDS",
    "DELIVERY_LABELS",
    "DELIVERY_WORDS",
    "EVENT_WORDS",
    "MARKERS",
    "MISSED",
    "ROOM_WORDS",
    "STORING_WORDS",
    "WAITING",
    "AbsenceReason",
    "ConnectionReason",
    "ConnectionState",
    "DeliveryReason",
    "DeliveryState",
    "EventNote",
    "RoomReason",
    "StoringReason",
    "Words",
    "delivery_words",
]
