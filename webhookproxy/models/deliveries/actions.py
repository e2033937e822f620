"""What people do with a delivery: resend it, have it tried now, cancel it.

Each is a wish in the database and a line in the change log: the process that owns the sockets
reads it within a second, or at once after Engine.wake() in that very process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.orm import Session

from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries.tables import OPEN, Delivery, end_deliveries
from webhookproxy.models.events import Event
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import Webhook, WebhookHealth, find_webhook
from webhookproxy.reasons import WAITING, DeliveryReason, DeliveryState, EventNote
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

# How one has ended that can be sent again.
RESENDABLE = (
    DeliveryState.DELIVERED,
    DeliveryState.REFUSED,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
    DeliveryState.SIMULATED,
)


class Resent(StrEnum):
    """What resend() did: the delivery is queued again, or it waits already."""

    QUEUED = "queued"
    ALREADY_WAITING = "already_waiting"


class Tried(StrEnum):
    """What try_now() did: this delivery is tried, an earlier one of its key is, or it has ended."""

    ITSELF = "itself"
    EARLIER = "earlier"
    ALREADY_ENDED = "already_ended"


class Cancelled(StrEnum):
    """What cancel() did: the delivery was cancelled, or it had ended already."""

    CANCELLED = "cancelled"
    ALREADY_ENDED = "already_ended"


@dataclass(frozen=True, slots=True)
class TriedNow:
    """What try_now() did, and the delivery that is tried now (if any is)."""

    outcome: Tried
    delivery_id: int


def resend(session: Session, delivery: Delivery) -> Resent:
    """Queue a delivery that ended once more: same event id, same bytes, attempts counted on.

    Its tries and its age begin anew. Of two at the same moment one finds it waiting already.
    Refused if its webhook or company is deleted, it was filtered, it is still to be discarded, or
    personal data was taken out of its event.
    """
    webhook = _webhook_of(session, delivery)
    _refuse_discarding(webhook, delivery)
    _refuse_masked(session, delivery)
    if not queue_again(session, webhook, [delivery.id], RESENDABLE):
        if delivery.state in WAITING:
            return Resent.ALREADY_WAITING
        raise Refused.one(
            "delivery",
            f"delivery_{delivery.id} is {delivery.state}, so it cannot be sent again: change the "
            "webhook's filter, and the next events like it are sent.",
            "O filtro deixou este evento de fora, e por isso ele não pode ser reenviado: mude o "
            "filtro do webhook, e os próximos como este serão enviados.",
        )
    return Resent.QUEUED


def queue_again(
    session: Session, webhook: Webhook, ids: Sequence[int], states: Sequence[DeliveryState]
) -> list[int]:
    """Queue those of a webhook's deliveries that ended in one of these states; which were.

    Their tries and their age begin anew. What personal data was taken out of stays as it is: the
    same id would come with other bytes than before.
    """
    as_sent = exists().where(
        Event.id == Delivery.event_id, func.coalesce(Event.note, "") != EventNote.MASKED
    )
    values = {
        "state": DeliveryState.QUEUED.value,
        "reason": DeliveryReason.RESENT.value,
        "tries": 0,
        "born_ms": webhook.clock_ms(datetime.now(UTC)),
        "resends": Delivery.resends + 1,
        **dict.fromkeys(("first_attempt_ms", "due_ms", "ended_ms", "status")),
    }
    changed = session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids), Delivery.webhook_id == webhook.id)
        .where(Delivery.state.in_(states), as_sent)
        .values(values)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    queued = sorted(changed.scalars())
    session.expire_all()
    if queued:
        health = update(WebhookHealth).where(WebhookHealth.webhook_id == webhook.id)
        session.execute(health.values(created=WebhookHealth.created + len(queued)))
        note_change(session, webhook.company_id, webhook.id)
    return queued


def try_now(session: Session, delivery: Delivery) -> TriedNow:
    """Have a delivery that waits tried at once, also while its webhook is only probed.

    Order is kept: if an earlier delivery of its key waits (in strict order, of its webhook), that
    one is tried instead. Refused if the webhook is paused, or it or its company is deleted.
    """
    webhook = _webhook_of(session, delivery)
    if webhook.state == WebhookState.PAUSED:
        raise Refused.one(
            "webhook",
            f"webhook_{webhook.id} is paused: `flask webhook resume webhook_{webhook.id}` sends "
            "what waits.",
            "O webhook está pausado: reative-o para enviar o que está aguardando.",
        )
    session.refresh(delivery)
    head_id = _first_of_key(session, webhook, delivery)
    if delivery.state not in WAITING or head_id is None:
        return TriedNow(Tried.ALREADY_ENDED, delivery.id)
    _change(session, head_id, WAITING, {"due_ms": None})
    note_change(session, webhook.company_id, webhook.id, head_id)
    return TriedNow(Tried.ITSELF if head_id == delivery.id else Tried.EARLIER, head_id)


def cancel(session: Session, delivery: Delivery) -> Cancelled:
    """Cancel a delivery that waits.

    One that is being sent at this moment ends as its receiver says, or cancelled if that fails.
    """
    webhook_id, now_ms = delivery.webhook_id, to_ms(datetime.now(UTC))
    state, reason = DeliveryState.CANCELLED, DeliveryReason.DISCARDED
    ids = [delivery.id]
    if not end_deliveries(session.connection(), webhook_id, ids, state, reason, now_ms):
        return Cancelled.ALREADY_ENDED
    session.refresh(delivery)
    webhook = session.get(Webhook, webhook_id)
    if webhook is not None:
        note_change(session, webhook.company_id, webhook_id)
    return Cancelled.CANCELLED


def _webhook_of(session: Session, delivery: Delivery) -> Webhook:
    webhook = find_webhook(session, delivery.webhook_id)
    find_company(session, webhook.company_id)
    return webhook


def _refuse_discarding(webhook: Webhook, delivery: Delivery) -> None:
    # Its number would have it discarded with those that waited when the webhook was resumed.
    if delivery.id <= (webhook.discard_until or 0):
        raise Refused.one(
            "delivery",
            f"What waited for webhook_{webhook.id} is still being discarded: try again when that "
            "is done, which takes a running server some seconds.",
            "As entregas guardadas ainda estão sendo descartadas: tente de novo em instantes.",
        )


def _refuse_masked(session: Session, delivery: Delivery) -> None:
    note = session.scalar(select(Event.note).where(Event.id == delivery.event_id))
    if note == EventNote.MASKED:
        raise Refused.one(
            "delivery",
            f"Personal data was taken out of the event of delivery_{delivery.id}, so it is not "
            "sent again.",
            "Dados pessoais foram retirados deste evento, e por isso ele não pode ser reenviado.",
        )


def _first_of_key(session: Session, webhook: Webhook, delivery: Delivery) -> int | None:
    """The first delivery that waits, up to this one, among those that keep order with it."""
    query = select(func.min(Delivery.id)).where(
        Delivery.webhook_id == webhook.id,
        Delivery.id > (webhook.discard_until or 0),
        Delivery.id <= delivery.id,
        text(OPEN),
    )
    if webhook.parallelism > 1:
        query = query.where(Delivery.order_key == delivery.order_key)
    return session.scalar(query)


def _change(
    session: Session, delivery_id: int, states: tuple[DeliveryState, ...], values: dict[str, object]
) -> bool:
    """Change a delivery if it is in one of these states; whether it was, also between two that
    try at the same moment."""
    changed = session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state.in_(states))
        .values(values)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    session.expire_all()
    return changed is not None
