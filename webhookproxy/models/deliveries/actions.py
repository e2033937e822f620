"""The actions of users on deliveries: resend one, try it now, cancel it, discard all that wait.

Each is stored, with a line in the change log. The process that owns the sockets reads it within a
second, or at once after Engine.wake() in the same process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.orm import Session

from webhookproxy.database.clock import ms_now, utc_now
from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries.tables import OPEN, Delivery, end_deliveries
from webhookproxy.models.events import Event
from webhookproxy.models.installation.changes import note_change
from webhookproxy.models.webhooks import Webhook, WebhookHealth, find_webhook, switch_webhook
from webhookproxy.reasons import WAITING, DeliveryReason, DeliveryState, EventNote
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

# A delivery that ended in one of these states can be sent again.
RESENDABLE = (
    DeliveryState.DELIVERED,
    DeliveryState.REFUSED,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
    DeliveryState.SIMULATED,
)


def resendable(state: str, reason: str) -> bool:
    """Return whether a delivery that ended so can be sent again.

    What a filter left out cannot; what was kept back because it had been recovered can.
    """
    return state in RESENDABLE or reason == DeliveryReason.ALREADY_RECOVERED


class Resent(StrEnum):
    """The result of resend(): the delivery is queued again, or it waits already."""

    QUEUED = "queued"
    ALREADY_WAITING = "already_waiting"


class Tried(StrEnum):
    """The result of try_now(): this delivery is tried, or an earlier one of its key, or none."""

    ITSELF = "itself"
    EARLIER = "earlier"
    ALREADY_ENDED = "already_ended"


class Cancelled(StrEnum):
    """The result of cancel(): the delivery was cancelled, or it had ended already."""

    CANCELLED = "cancelled"
    ALREADY_ENDED = "already_ended"


@dataclass(frozen=True, slots=True)
class TriedNow:
    """The result of try_now(), and the delivery that is tried now, if any."""

    outcome: Tried
    delivery_id: int


def resend(session: Session, delivery: Delivery, *, in_newest_format: bool = False) -> Resent:
    """Queue a finished delivery again, with the same event id and the same bytes.

    `in_newest_format` sends it in the webhook's format of now, with other bytes. Its tries and its
    age begin again; its attempts are counted on. Of two calls at the same moment one finds it
    waiting already. Raises Refused if its webhook or company is deleted, if it was filtered or is
    being discarded, or if personal data was removed from its event.
    """
    webhook = _webhook_of(session, delivery)
    _refuse_discarding(webhook, delivery)
    _refuse_masked(session, delivery)
    was_recovered = delivery.reason == DeliveryReason.ALREADY_RECOVERED
    states = (*RESENDABLE, DeliveryState.FILTERED) if was_recovered else RESENDABLE
    if not queue_again(session, webhook, [delivery.id], states):
        if delivery.state in WAITING:
            return Resent.ALREADY_WAITING
        raise Refused.one(
            "delivery",
            f"delivery_{delivery.id} is {delivery.state}, so it cannot be sent again: change the "
            "webhook's filter, and the next events like it are sent.",
            "O filtro deixou este evento de fora, e por isso ele não pode ser reenviado: mude o "
            "filtro do webhook, e os próximos como este serão enviados.",
        )
    if in_newest_format:
        newest = update(Delivery).where(Delivery.id == delivery.id)
        session.execute(newest.values(format_number=webhook.format_number))
        session.expire_all()
    return Resent.QUEUED


def queue_again(
    session: Session, webhook: Webhook, ids: Sequence[int], states: Sequence[DeliveryState]
) -> list[int]:
    """Requeue the given deliveries that ended in one of `states`; return their ids.

    Their tries and their age begin again. An event without its personal data is not resent: its
    bytes would differ under the same id.
    """
    as_sent = exists().where(
        Event.id == Delivery.event_id, func.coalesce(Event.note, "") != EventNote.MASKED
    )
    values = {
        "state": DeliveryState.QUEUED.value,
        "reason": DeliveryReason.RESENT.value,
        "tries": 0,
        "born_ms": webhook.clock_ms(utc_now()),
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


def oldest_waiting(session: Session, webhook_id: int) -> Delivery | None:
    """Return the delivery of a webhook that has waited longest, by its number."""
    query = (
        select(Delivery)
        .where(Delivery.webhook_id == webhook_id, text(OPEN))
        .order_by(Delivery.id)
        .limit(1)
    )
    return session.scalar(query)


def try_now(session: Session, delivery: Delivery) -> TriedNow:
    """Try a waiting delivery at once, also while its webhook is only probed.

    Order is kept: if an earlier delivery of its key waits (in strict order, of its webhook), that
    one is tried instead. Raises Refused if the webhook is paused, or it or its company is deleted.
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
    head = update(Delivery).where(Delivery.id == head_id, Delivery.state.in_(WAITING))
    session.execute(head.values(due_ms=None).execution_options(synchronize_session=False))
    session.expire_all()
    note_change(session, webhook.company_id, webhook.id, head_id)
    return TriedNow(Tried.ITSELF if head_id == delivery.id else Tried.EARLIER, head_id)


def cancel(session: Session, delivery: Delivery) -> Cancelled:
    """Cancel a waiting delivery.

    One that is being sent ends as its receiver answers, or cancelled if that attempt fails.
    """
    webhook_id, now_ms = delivery.webhook_id, ms_now()
    state, reason = DeliveryState.CANCELLED, DeliveryReason.DISCARDED
    ids = [delivery.id]
    if not end_deliveries(session.connection(), webhook_id, ids, state, reason, now_ms):
        return Cancelled.ALREADY_ENDED
    session.refresh(delivery)
    webhook = session.get(Webhook, webhook_id)
    if webhook is not None:
        note_change(session, webhook.company_id, webhook_id)
    return Cancelled.CANCELLED


def resume_webhook(session: Session, webhook: Webhook, *, discard: bool) -> bool:
    """Activate a webhook; return False, and discard nothing, if it was active already.

    `discard` ends the deliveries that wait at this moment as cancelled: the process that owns the
    sockets does it, in batches. Later deliveries are sent.
    """
    if webhook.state == WebhookState.ACTIVE.value:
        return False
    if discard:
        # One process gives the numbers, in order: a delivery committed later has a higher one.
        newest = select(func.max(Delivery.id)).where(Delivery.webhook_id == webhook.id, text(OPEN))
        webhook.discard_until = session.scalar(newest) or webhook.discard_until
    return switch_webhook(session, webhook, WebhookState.ACTIVE)


def _webhook_of(session: Session, delivery: Delivery) -> Webhook:
    webhook = find_webhook(session, delivery.webhook_id)
    find_company(session, webhook.company_id)
    return webhook


def _refuse_discarding(webhook: Webhook, delivery: Delivery) -> None:
    # By its number it would be discarded with the deliveries that waited at the resumption.
    if delivery.id <= (webhook.discard_until or 0):
        raise Refused.one(
            "delivery",
            f"The deliveries that waited for webhook_{webhook.id} are still being discarded: try "
            "again in some seconds, while a server runs.",
            "As entregas guardadas ainda estão sendo descartadas: tente de novo em instantes.",
        )


def _refuse_masked(session: Session, delivery: Delivery) -> None:
    note = session.scalar(select(Event.note).where(Event.id == delivery.event_id))
    if note == EventNote.MASKED:
        raise Refused.one(
            "delivery",
            f"Personal data was removed from the event of delivery_{delivery.id}, so it is not "
            "sent again.",
            "Dados pessoais foram retirados deste evento, e por isso ele não pode ser reenviado.",
        )


def _first_of_key(session: Session, webhook: Webhook, delivery: Delivery) -> int | None:
    """Return the first waiting delivery, up to this one, among those that keep order with it."""
    query = select(func.min(Delivery.id)).where(
        Delivery.webhook_id == webhook.id,
        Delivery.id > (webhook.discard_until or 0),
        Delivery.id <= delivery.id,
        text(OPEN),
    )
    if webhook.parallelism > 1:
        query = query.where(Delivery.order_key == delivery.order_key)
    return session.scalar(query)
