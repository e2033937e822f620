"""The states and reasons of deliveries, events and connections, as they are stored."""

from __future__ import annotations

from enum import StrEnum


class DeliveryState(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FILTERED = "filtered"
    SIMULATED = "simulated"


# The states of deliveries that have not ended, and of those that ended without arriving.
WAITING = (DeliveryState.QUEUED, DeliveryState.RETRYING)
MISSED = (DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED)


class DeliveryReason(StrEnum):
    # it waits
    WAITING_TURN = "waiting_turn"
    RESENT = "resent"
    WEBHOOK_PAUSED = "webhook_paused"
    CIRCUIT_OPEN = "circuit_open"
    INTERRUPTED = "interrupted"
    # the receiver answered
    ACCEPTED = "accepted"
    REFUSED_STATUS = "refused_status"
    ANSWER_FAILED = "answer_failed"
    FAILED_STATUS = "failed_status"
    THROTTLED = "throttled"
    BUSY = "busy"
    OUT_OF_CREDITS = "out_of_credits"
    REDIRECTED = "redirected"
    GONE = "gone"
    # popular receivers answered in their own way
    N8N_TEST_URL = "n8n_test_url"
    MAKE_OFF = "make_off"
    MAKE_QUEUE_FULL = "make_queue_full"
    APPS_SCRIPT_RAN = "apps_script_ran"
    APPS_SCRIPT_PRIVATE = "apps_script_private"
    # the receiver was not reached, or its answer could not be read
    NAME_NOT_RESOLVED = "name_not_resolved"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_FAILED = "connection_failed"
    CONNECTION_LOST = "connection_lost"
    CONNECT_TIMEOUT = "connect_timeout"
    ANSWER_TIMEOUT = "answer_timeout"
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_FAILED = "tls_failed"
    BAD_ANSWER = "bad_answer"
    INTERNAL_ERROR = "internal_error"
    # it ended without being accepted
    EXHAUSTED = "exhausted"
    MAX_AGE = "max_age"
    WEBHOOK_DELETED = "webhook_deleted"
    COMPANY_DELETED = "company_deleted"
    DISCARDED = "discarded"
    EXPUNGED = "expunged"
    FILTERED_OUT = "filtered_out"
    ALREADY_RECOVERED = "already_recovered"
    UNRENDERABLE = "unrenderable"
    SIMULATION = "simulation"


# Of an attempt that delivered its event.
ACCEPTING = (DeliveryReason.ACCEPTED, DeliveryReason.APPS_SCRIPT_RAN)


class StoringReason(StrEnum):
    """Whether events are stored now, or why not."""

    STORING = "storing"
    DATABASE_REFUSES = "database_refuses"
    DATABASE_GONE = "database_gone"
    NO_OWNER = "no_owner"


class DiskReason(StrEnum):
    """Whether the disk has enough space for new events, or what is nearly full."""

    ENOUGH = "enough"
    LIMIT_NEAR = "limit_near"
    DISK_NEARLY_FULL = "disk_nearly_full"


class EventNote(StrEnum):
    """Why a stored event has no delivery, or differs from what came."""

    UNWANTED = "unwanted"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    MASKED = "masked"
    MAY_BE_REPEAT = "may_repeat"

    @classmethod
    def _missing_(cls, value: object) -> EventNote | None:
        # So it was written before: too long for the column, which only SQLite lets pass.
        return cls.MAY_BE_REPEAT if value == "may_be_repeat" else None


# Only a marker of such an event is stored, and nothing can be sent.
MARKERS = (EventNote.TOO_LARGE, EventNote.UNREADABLE)


class PlatformTrouble(StrEnum):
    """Why 3C Plus does not say which calls there were."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    THROTTLED = "throttled"
    EMPTY = "empty"
    FAILING = "failing"
    NOT_UNDERSTOOD = "not_understood"
    NOT_REACHED = "not_reached"
    NO_ADDRESS = "no_address"


class NoDeliveryReason(StrEnum):
    """Why an event has no delivery to a webhook; found out for a page, and never stored."""

    NOT_ASKED = "not_asked"
    NOT_RECOVERED = "not_recovered"
    CREATED_LATER = "created_later"
    ASKED_LATER = "asked_later"
    NOT_SENDABLE = "not_sendable"
    MISSING = "missing"
    # of the event as a whole
    WEBHOOK_REMOVED = "webhook_removed"
    NO_WEBHOOK = "no_webhook"


class SecondSocketState(StrEnum):
    """Whether a company's second socket is observed, or why that ended."""

    WAITING = "waiting"
    OBSERVING = "observing"
    # it ended
    REFUSED = "refused"
    ONE_SOCKET = "one_socket"
    TEXTS_DIFFER = "texts_differ"
    BEHIND = "behind"


class ConnectionState(StrEnum):
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    DISCONNECTING = "disconnecting"
    # S105 believes that this name, and TOKEN_CHANGED, is a password.
    TOKEN_REFUSED = "token_refused"  # noqa: S105


class ConnectionReason(StrEnum):
    NOT_WISHED = "not_wished"
    WISHED = "wished"
    UNWISHED = "unwished"
    ACCEPTED = "accepted"
    NAME_NOT_RESOLVED = "name_not_resolved"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    HANDSHAKE_FAILED = "handshake_failed"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    REFUSED = "refused"
    REFUSED_FOR_NOW = "refused_for_now"
    SERVER_REFUSED = "server_refused"
    KICKED = "kicked"
    DROPPED = "dropped"
    SILENT = "silent"
    DEAF = "deaf"
    TOKEN_CHANGED = "token_changed"  # noqa: S105
    OWNER_GONE = "owner_gone"
