"""The events of a company in a month and what became of them, from the hourly counters alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webhookproxy.events.silence import HOUR_SECONDS
from webhookproxy.models import HourlyDeliveries, HourlyEvents, Webhook
from webhookproxy.web.month.period import Month
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.figures import Latency

NAMES_MAX = 15


@dataclass(slots=True)
class Arrivals:
    """Events by day of the month, and by name, the most frequent first."""

    days: list[tuple[date, int]]
    names: list[tuple[str, int]]
    more_names: int

    @property
    def total(self) -> int:
        """Return the number of all events of the month."""
        return sum(count for _, count in self.days)


@dataclass(slots=True)
class Ended:
    """How the deliveries of one webhook ended."""

    webhook: Webhook
    counts: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Return how many did not arrive, without those that a user cancelled."""
        return sum(self.counts[outcome] for outcome in figures.FAILED)

    @property
    def latency(self) -> Latency | None:
        """Return the time from the event's arrival to the answer, of those that were delivered."""
        return figures.latency_of(self.buckets)


def arrivals_in(session: Session, company_id: int, month: Month) -> Arrivals:
    """Return the events of this month; an hour belongs to the month in which it begins."""
    of_month = (HourlyEvents.company_id == company_id, *_within(HourlyEvents.hour, month))
    by_hour = session.execute(
        select(HourlyEvents.hour, func.sum(HourlyEvents.count))
        .where(*of_month)
        .group_by(HourlyEvents.hour)
    )
    days: defaultdict[date, int] = defaultdict(int)
    zone = ZoneInfo(month.timezone)
    for hour, count in by_hour:
        days[datetime.fromtimestamp(hour * HOUR_SECONDS, zone).date()] += int(count)
    by_name = session.execute(
        select(HourlyEvents.name, func.sum(HourlyEvents.count))
        .where(*of_month)
        .group_by(HourlyEvents.name)
        .order_by(func.sum(HourlyEvents.count).desc(), HourlyEvents.name)
    ).all()
    names = [(name, int(count)) for name, count in by_name]
    shown = [(day, days.get(day, 0)) for day in _days(month)]
    return Arrivals(shown, names[:NAMES_MAX], max(0, len(names) - NAMES_MAX))


def ended_in(session: Session, webhooks: Collection[Webhook], month: Month) -> list[Ended]:
    """Return how the deliveries of these webhooks ended in this month."""
    found = {webhook.id: Ended(webhook) for webhook in webhooks}
    rows = session.execute(
        select(
            HourlyDeliveries.webhook_id,
            HourlyDeliveries.outcome,
            HourlyDeliveries.bucket,
            func.sum(HourlyDeliveries.count),
        )
        .where(HourlyDeliveries.webhook_id.in_(found), *_within(HourlyDeliveries.hour, month))
        .group_by(HourlyDeliveries.webhook_id, HourlyDeliveries.outcome, HourlyDeliveries.bucket)
    )
    for webhook_id, outcome, bucket, count in rows:
        found[webhook_id].counts[outcome] += int(count)
        if outcome == "delivered":
            found[webhook_id].buckets[bucket] += int(count)
    return list(found.values())


def _within(hour: InstrumentedAttribute[int], month: Month) -> list[ColumnElement[bool]]:
    first, last = (round(each.timestamp()) // HOUR_SECONDS for each in (month.begins, month.ends))
    return [hour >= first, hour < last]


def _days(month: Month) -> list[date]:
    """Return the days of a month that have begun."""
    first = date(month.year, month.number, 1)
    after = month.moved(1)
    today = datetime.now(UTC).astimezone(ZoneInfo(month.timezone)).date()
    last = min(date(after.year, after.number, 1) - timedelta(days=1), today)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
