"""Outages of the last days, and the refusals of one receiver grouped by its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bench.showcase.webhooks import BITRIX, N8N, PHP
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.refusals import Refused, group_refusals
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.models import Attempt, Delivery, Outage, RefusalGroup, Webhook
from webhookproxy.models.outages import OutageKind
from webhookproxy.reasons import DeliveryReason, DeliveryState

# The webhook, kind, cause and status; hours since it began, minutes that it lasted; how many
# waited, were not delivered, and of how many calls.
_OUTAGES = (
    (PHP, OutageKind.FAILING, DeliveryReason.FAILED_STATUS, 503, 1.9, 3, 183, 0, 41),
    (PHP, OutageKind.REFUSING, DeliveryReason.REFUSED_STATUS, 422, 27, 95, 13, 11, 9),
    (PHP, OutageKind.FAILING, DeliveryReason.TLS_EXPIRED, None, 75, 312, 2_480, 0, 611),
    (N8N, OutageKind.PAUSED, DeliveryReason.WEBHOOK_PAUSED, None, 5, 42, 77, 0, 20),
    (BITRIX, OutageKind.FAILING, DeliveryReason.FAILED_STATUS, 503, 51, 18, 240, 2, 66),
)


def fill(session: Session, webhooks: dict[str, Webhook]) -> None:
    """Write the outages of three webhooks, and group the refusals of one."""
    now = datetime.now(UTC)
    for name, kind, reason, status, hours, minutes, waited, missed, calls in _OUTAGES:
        began = now - timedelta(hours=hours)
        ended = began + timedelta(minutes=minutes)
        outage = Outage(
            webhook_id=webhooks[name].id,
            kind=kind.value,
            reason=reason.value,
            status=status,
            began_at=began,
            ended_at=ended,
            first_id=1,
            waited=waited,
            delivered=waited - missed,
            missed=missed,
            calls=calls,
            settled_at=ended + timedelta(minutes=2),
        )
        session.add(outage)
    _group(session, webhooks[PHP])


def _group(session: Session, webhook: Webhook) -> None:
    """Group the refused deliveries of a webhook, as the writer of results does."""
    session.flush()
    rows = session.execute(
        select(Delivery, Attempt)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(Delivery.webhook_id == webhook.id, Delivery.state == DeliveryState.REFUSED.value)
        .where(Attempt.number == Delivery.attempts)
    ).all()
    refused = [
        Refused(
            delivery.id,
            webhook.id,
            webhook.company_id,
            delivery.ended_ms or 0,
            Outcome(
                Kind.REFUSAL,
                DeliveryReason(attempt.reason),
                attempt.started_ms,
                attempt.duration_ms,
                status=attempt.status,
                answer=attempt.answer,
            ),
        )
        for delivery, attempt in rows
    ]
    group_refusals(session.connection(), refused)
    # Only a few of many are stored here.
    session.execute(update(RefusalGroup).values(count=RefusalGroup.count * 19))
