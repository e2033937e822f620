"""Why an event did, or did not, reach each webhook of its company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from webhookproxy.models import Attempt, Delivery, Event, Webhook
from webhookproxy.models.deliveries.actions import resendable
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import (
    DELIVERY_WORDS,
    MARKERS,
    NO_DELIVERY_WORDS,
    DeliveryReason,
    DeliveryState,
    EventNote,
    NoDeliveryReason,
    Words,
)
from webhookproxy.web.deliveries.words import next_ms, shown_words, since_ms, waits
from webhookproxy.web.shared.access import sees_personal
from webhookproxy.web.shared.formats import clock

# How much of what a receiver answered is shown beside the reason.
ANSWER_SHOWN = 400
# A webhook that was saved gets events a moment later.
GRACE_MS = 5_000
# What someone must deal with comes first, then what is on its way.
_ORDER = (
    DeliveryState.REFUSED,
    DeliveryState.EXPIRED,
    DeliveryState.RETRYING,
    DeliveryState.QUEUED,
    DeliveryState.CANCELLED,
    DeliveryState.DELIVERED,
    DeliveryState.FILTERED,
    DeliveryState.SIMULATED,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of an event at one webhook: its delivery, or why it has none.

    `webhook` None: it is about the event as a whole. `answer` is the beginning of the answer.
    `may_send` says that nothing was sent of it, and that it can be.
    """

    words: Words
    webhook: Webhook | None
    delivery: Delivery | None = None
    no_delivery: NoDeliveryReason | None = None
    since_ms: int | None = None
    next_ms: int | None = None
    answer: str = ""
    may_resend: bool = False
    may_send: bool = False

    @property
    def state(self) -> str:
        """Return the delivery's state; "" if there is no delivery."""
        return "" if self.delivery is None else self.delivery.state

    @property
    def waits(self) -> bool:
        """Return whether the delivery has not ended."""
        return self.delivery is not None and waits(self.delivery)

    @property
    def is_there(self) -> bool:
        """Return whether the webhook exists."""
        return self.webhook is not None and self.webhook.deleted_at is None


def outcomes(session: Session, event: Event, timezone: str) -> list[Outcome]:
    """Return the outcome at each webhook of the company, the troubles first, in three reads."""
    deliveries = {each.webhook_id: each for each in _deliveries(session, event.id)}
    answers = _answers(session, [each.id for each in deliveries.values()])
    found = []
    for webhook in _webhooks(session, event.company_id):
        delivery = deliveries.get(webhook.id)
        if delivery is not None:
            found.append(_due(event, webhook, delivery, answers.get(delivery.id, ""), timezone))
        elif webhook.deleted_at is None:
            found.append(_absent(event, webhook, timezone))
    found.sort(key=_rank)
    return found + list(_about_the_event(event, found, deliveries))


def _rank(outcome: Outcome) -> int:
    return _ORDER.index(DeliveryState(outcome.state)) if outcome.state else len(_ORDER)


def _deliveries(session: Session, event_id: int) -> Sequence[Delivery]:
    query = select(Delivery).where(Delivery.event_id == event_id).order_by(Delivery.id)
    return session.scalars(query).all()


def _webhooks(session: Session, company_id: int) -> Sequence[Webhook]:
    """Return the company's webhooks, deleted ones too: their deliveries may still exist."""
    query = select(Webhook).where(Webhook.company_id == company_id)
    return session.scalars(query.options(joinedload(Webhook.health)).order_by(Webhook.id)).all()


def _answers(session: Session, ids: Sequence[int]) -> Mapping[int, str]:
    """Return the beginning of the last answer to each delivery, if the user may see it."""
    if not sees_personal():
        return {}
    last = (
        select(Attempt.delivery_id, func.max(Attempt.number).label("number"))
        .where(Attempt.delivery_id.in_(ids))
        .group_by(Attempt.delivery_id)
        .subquery()
    )
    query = select(Attempt.delivery_id, func.substr(Attempt.answer, 1, ANSWER_SHOWN)).join(
        last, (last.c.delivery_id == Attempt.delivery_id) & (last.c.number == Attempt.number)
    )
    return {delivery_id: (answer or "").strip() for delivery_id, answer in session.execute(query)}


def _due(event: Event, webhook: Webhook, delivery: Delivery, answer: str, timezone: str) -> Outcome:
    words = shown_words(delivery, webhook, timezone, event.received_ms)
    if webhook.deleted_at is not None and waits(delivery):
        words = DELIVERY_WORDS[DeliveryReason.WEBHOOK_DELETED]
    return Outcome(
        words=words,
        webhook=webhook,
        delivery=delivery,
        since_ms=since_ms(delivery, webhook, event.received_ms),
        next_ms=None if webhook.deleted_at else next_ms(delivery, webhook),
        answer=answer,
        may_resend=resendable(delivery.state, delivery.reason)
        and event.note != EventNote.MASKED
        and webhook.deleted_at is None,
        may_send=delivery.state == DeliveryState.FILTERED
        and delivery.reason != DeliveryReason.ALREADY_RECOVERED
        and event.note != EventNote.MASKED
        and webhook.deleted_at is None,
    )


def _absent(event: Event, webhook: Webhook, timezone: str) -> Outcome:
    reason = _why_absent(event, webhook)
    since = webhook.created_at if reason is NoDeliveryReason.CREATED_LATER else webhook.saved_at
    words = NO_DELIVERY_WORDS[reason].filled(since=clock(since, timezone))
    may_send = event.note not in (*MARKERS, EventNote.MASKED)
    return Outcome(words=words, webhook=webhook, no_delivery=reason, may_send=may_send)


def _why_absent(event: Event, webhook: Webhook) -> NoDeliveryReason:
    if event.note in MARKERS:
        return NoDeliveryReason.NOT_SENDABLE
    if webhook.events is not None and event.name not in webhook.events:
        return NoDeliveryReason.NOT_ASKED
    if event.recovered and not webhook.takes_recovered:
        return NoDeliveryReason.NOT_RECOVERED
    if event.received_ms < to_ms(webhook.created_at):
        return NoDeliveryReason.CREATED_LATER
    if event.received_ms < to_ms(webhook.saved_at) + GRACE_MS:
        return NoDeliveryReason.ASKED_LATER
    return NoDeliveryReason.MISSING


def _about_the_event(
    event: Event, found: Sequence[Outcome], deliveries: Mapping[int, Delivery]
) -> Sequence[Outcome]:
    """Return what no webhook's outcome says about the event; nothing if all is said."""
    if event.note in (None, EventNote.MAY_BE_REPEAT) and not deliveries:
        # It had deliveries, or a note would say that no webhook asked for it.
        reason = NoDeliveryReason.WEBHOOK_REMOVED
    elif not found:
        reason = NoDeliveryReason.NO_WEBHOOK
    else:
        return ()
    return (Outcome(words=NO_DELIVERY_WORDS[reason], webhook=None, no_delivery=reason),)
