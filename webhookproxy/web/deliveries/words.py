"""A delivery or an attempt in words: what happened, since when, what next, what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from webhookproxy.database.clock import ms_now
from webhookproxy.models import Delivery, RefusalGroup, Webhook
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.reasons import (
    DELIVERY_WORDS,
    WAITING,
    DeliveryReason,
    DeliveryState,
    Words,
    delivery_words,
    words_of_attempt,
)
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.search.deliveries import Found
from webhookproxy.web.shared.access import sees_personal
from webhookproxy.web.shared.formats import clock

# The reasons of a delivery without an attempt: what holds its webhook says more.
_UNTRIED = (DeliveryReason.WAITING_TURN, DeliveryReason.RESENT)
# A delivery itself, or one of a list, which is not loaded whole.
Told = Delivery | Found


@dataclass(frozen=True, slots=True)
class _Hold:
    """The reason why nothing is sent to a webhook now, since when, and until when if known."""

    reason: DeliveryReason
    since_ms: int
    until_ms: int | None
    status: int | None


def shown_words(delivery: Told, webhook: Webhook, timezone: str, received_ms: int) -> Words:
    """Return the words for a delivery as it is now, with the times in that timezone.

    That a paused or failing webhook makes its deliveries wait is not in their rows.
    """
    hold = _hold(webhook) if waits(delivery) else None
    reason = DeliveryReason(delivery.reason)
    own = delivery_words(DeliveryState(delivery.state), reason).filled(
        when=_moment(delivery.due_ms, timezone),
        since=clock(since_ms(delivery, webhook, received_ms), timezone),
        status=delivery.status or "de erro",
        condition=delivery.condition if sees_personal() else None,
    )
    if hold is None:
        return own
    held = DELIVERY_WORDS[hold.reason].filled(
        when=_moment(hold.until_ms, timezone),
        since=clock(hold.since_ms, timezone),
        status=hold.status or "de erro",
    )
    if reason in _UNTRIED or reason is hold.reason:
        return held
    # First the result of its own attempt, then what its webhook waits for.
    return replace(held, what=own.what, then=f"{held.what} {held.then}")


def waits(delivery: Told) -> bool:
    """Return whether a delivery has not ended."""
    return delivery.state in WAITING


def since_ms(delivery: Told, webhook: Webhook, received_ms: int) -> int:
    """Return since when a delivery has ended, failed or been in the queue.

    `received_ms` is when its event came.
    """
    if delivery.ended_ms is not None:
        return delivery.ended_ms
    if delivery.state == DeliveryState.RETRYING and delivery.first_attempt_ms is not None:
        return delivery.first_attempt_ms
    if delivery.reason == DeliveryReason.RESENT:
        # Only known by the webhook's clock, which stands while the webhook is paused.
        return min(ms_now(), delivery.born_ms + webhook.paused_ms)
    return received_ms


def attempt_words(reason: str, status: int | None, detail: str | None) -> str:
    """Return what came of one attempt, in one sentence."""
    return words_of_attempt(DeliveryReason(reason), status, detail).what


def refusal_words(group: RefusalGroup) -> str:
    """Return what the receiver answered to the refusals of a group."""
    if group.is_rest:
        return "Outras respostas, cada uma diferente"
    status = group.status or None
    if not group.shape:
        return attempt_words(group.reason, status, None)
    return f"{status}: {group.shape}" if status else group.shape


def reason_of_pause(webhook: Webhook) -> DeliveryReason:
    """Return why a webhook is paused: its receiver wants no more, or a person paused it."""
    for reason in (DeliveryReason.GONE, DeliveryReason.MAKE_OFF):
        if webhook.paused_reason == reason:
            return reason
    return DeliveryReason.WEBHOOK_PAUSED


def next_ms(delivery: Told, webhook: Webhook) -> int | None:
    """Return when a delivery is tried next, if that is known and in the future."""
    hold = _hold(webhook)
    due_ms = delivery.due_ms if hold is None else hold.until_ms
    return due_ms if waits(delivery) and due_ms is not None and due_ms > ms_now() else None


def _hold(webhook: Webhook) -> _Hold | None:
    health = webhook.health
    if webhook.state == WebhookState.PAUSED:
        since = webhook.paused_at or webhook.saved_at
        reason = reason_of_pause(webhook)
        return _Hold(reason, to_ms(since), None, health.last_error_status)
    if health.circuit_opened_at is not None:
        probe = None if health.next_probe_at is None else to_ms(health.next_probe_at)
        return _Hold(DeliveryReason.CIRCUIT_OPEN, to_ms(health.circuit_opened_at), probe, None)
    return None


def _moment(moment_ms: int | None, timezone: str) -> str:
    """Return a moment to come, as a time of day: counted seconds would redraw live pages."""
    if moment_ms is None or moment_ms <= ms_now():
        return "em instantes"
    text = clock(from_ms(moment_ms), timezone)
    date, _, hour = text.rpartition(" ")
    return f"em {date} às {hour}" if date else f"às {hour}"
