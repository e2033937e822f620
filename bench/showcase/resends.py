"""Two bulk resends: one that is half done, and one that has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bench.showcase.people import EMAIL
from bench.showcase.webhooks import MAKE
from webhookproxy.models import BulkResend, Webhook
from webhookproxy.models.deliveries.bulk_resends import BulkState
from webhookproxy.models.types import to_ms


def fill(session: Session, webhooks: dict[str, Webhook]) -> None:
    """Write the resends of two active webhooks."""
    half = _bulk(webhooks["RD Station"], hours=3, total=1840)
    half.queued, half.skipped, half.delivered, half.failed = 702, 2, 671, 19
    over = _bulk(webhooks[MAKE], hours=26, total=312)
    over.queued = over.delivered = over.total
    over.end(BulkState.FINISHED)
    session.add_all([half, over])


def _bulk(webhook: Webhook, hours: int, total: int) -> BulkResend:
    now = datetime.now(UTC)
    return BulkResend(
        company_id=webhook.company_id,
        webhook_id=webhook.id,
        asked_by=EMAIL,
        asked_ms=to_ms(now - timedelta(minutes=4)),
        states=["refused", "expired"],
        event="",
        since_ms=to_ms(now - timedelta(hours=hours)),
        begins=0,
        upto=1_204_300,
        cursor=500_000,
        total=total,
        total_is_cut=False,
        waiting=[1],
    )
