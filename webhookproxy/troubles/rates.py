"""The rate of success of webhooks in a period, from the hourly counters: no rows are counted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.models import HourlyDeliveries


@dataclass(slots=True)
class Rate:
    """How the deliveries of a webhook ended that ended in a period."""

    delivered: int = 0
    refused: int = 0
    expired: int = 0
    # These say nothing of the receiver, and are no part of the rate.
    filtered: int = 0
    simulated: int = 0
    cancelled: int = 0

    @property
    def tried(self) -> int:
        """The number of deliveries that the rate is about."""
        return self.delivered + self.refused + self.expired

    @property
    def share(self) -> float | None:
        """The share that was delivered, from 0 to 1; None without any delivery."""
        return self.delivered / self.tried if self.tried else None


_OUTCOMES = frozenset(field.name for field in fields(Rate))


def rates(
    session: Session, webhooks: Collection[int], since: int, until: int | None = None
) -> dict[int, Rate]:
    """Return the rate of each webhook from hour `since` on, before hour `until`.

    Hours are numbers since 1970. A webhook of which nothing ended has an empty rate.
    """
    query = (
        select(
            HourlyDeliveries.webhook_id,
            HourlyDeliveries.outcome,
            func.sum(HourlyDeliveries.count),
        )
        .where(HourlyDeliveries.webhook_id.in_(webhooks), HourlyDeliveries.hour >= since)
        .group_by(HourlyDeliveries.webhook_id, HourlyDeliveries.outcome)
    )
    if until is not None:
        query = query.where(HourlyDeliveries.hour < until)
    found = {webhook_id: Rate() for webhook_id in webhooks}
    for webhook_id, outcome, count in session.execute(query):
        # The hourly counts have failed attempts too, which are no ends of deliveries.
        if outcome in _OUTCOMES:
            setattr(found[webhook_id], outcome, max(0, int(count)))
    return found
