"""Every state and reason of deliveries, events, connections and the store, and their words."""

from __future__ import annotations

from webhookproxy.reasons.alert_words import ALERT_ERROR_WORDS, AlertError
from webhookproxy.reasons.codes import (
    ACCEPTING,
    MARKERS,
    MISSED,
    WAITING,
    ConnectionReason,
    ConnectionState,
    DeliveryReason,
    DeliveryState,
    DiskReason,
    EventNote,
    NoDeliveryReason,
    PlatformTrouble,
    SecondSocketState,
    StoringReason,
)
from webhookproxy.reasons.connection_words import (
    CONNECTION_WORDS,
    NEVER_CONNECTED,
    RECOVERED_GAP,
    gap_words,
)
from webhookproxy.reasons.delivery_words import (
    DELIVERY_WORDS,
    EVENT_WORDS,
    delivery_words,
    words_of_attempt,
)
from webhookproxy.reasons.no_delivery_words import NO_DELIVERY_WORDS
from webhookproxy.reasons.platform_words import PLATFORM_WORDS
from webhookproxy.reasons.second_socket_words import SECOND_SOCKET_WORDS
from webhookproxy.reasons.store_words import (
    DISK_WORDS,
    OTHERS_WITHOUT_OWNER,
    STORING_WORDS,
    some_without_owner,
)
from webhookproxy.reasons.words import CONNECTION_LABELS, DELIVERY_LABELS, Words

__all__ = [
    "ACCEPTING",
    "ALERT_ERROR_WORDS",
    "CONNECTION_LABELS",
    "CONNECTION_WORDS",
    "DELIVERY_LABELS",
    "DELIVERY_WORDS",
    "DISK_WORDS",
    "EVENT_WORDS",
    "MARKERS",
    "MISSED",
    "NEVER_CONNECTED",
    "NO_DELIVERY_WORDS",
    "OTHERS_WITHOUT_OWNER",
    "PLATFORM_WORDS",
    "RECOVERED_GAP",
    "SECOND_SOCKET_WORDS",
    "STORING_WORDS",
    "WAITING",
    "AlertError",
    "ConnectionReason",
    "ConnectionState",
    "DeliveryReason",
    "DeliveryState",
    "DiskReason",
    "EventNote",
    "NoDeliveryReason",
    "PlatformTrouble",
    "SecondSocketState",
    "StoringReason",
    "Words",
    "delivery_words",
    "gap_words",
    "some_without_owner",
    "words_of_attempt",
]
