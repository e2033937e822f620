"""The events of a company in a month and their results, from the hourly counters alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.events.silence import HOUR_SECONDS
from webhookproxy.models import HourlyDeliveries, Webhook
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
    first, last = _hours(month)
    days: defaultdict[date, int] = defaultdict(int)
    zone = ZoneInfo(month.timezone)
    for hour, count in figures.events_by_hour(session, [company_id], first, last).items():
        days[datetime.fromtimestamp(hour * HOUR_SECONDS, zone).date()] += count
    names = list(figures.events_by_name(session, company_id, first, last).items())
    shown = [(day, days.get(day, 0)) for day in _days(month)]
    return Arrivals(shown, names[:NAMES_MAX], max(0, len(names) - NAMES_MAX))


def ended_in(session: Session, webhooks: Collection[Webhook], month: Month) -> list[Ended]:
    """Return how the deliveries of these webhooks ended in this month."""
    found = {webhook.id: Ended(webhook) for webhook in webhooks}
    first, last = _hours(month)
    rows = session.execute(
        select(
            HourlyDeliveries.webhook_id,
            HourlyDeliveries.outcome,
            HourlyDeliveries.bucket,
            func.sum(HourlyDeliveries.count),
        )
        .where(HourlyDeliveries.webhook_id.in_(found))
        .where(HourlyDeliveries.hour >= first, HourlyDeliveries.hour < last)
        .group_by(HourlyDeliveries.webhook_id, HourlyDeliveries.outcome, HourlyDeliveries.bucket)
    )
    for webhook_id, outcome, bucket, count in rows:
        found[webhook_id].counts[outcome] += int(count)
        if outcome == "delivered":
            found[webhook_id].buckets[bucket] += int(count)
    return list(found.values())


def _hours(month: Month) -> tuple[int, int]:
    """Return the first hour of a month, and the first one after it."""
    begins, ends = round(month.begins.timestamp()), round(month.ends.timestamp())
    return begins // HOUR_SECONDS, ends // HOUR_SECONDS


def _days(month: Month) -> list[date]:
    """Return the days of a month that have begun."""
    first = date(month.year, month.number, 1)
    after = month.moved(1)
    today = utc_now().astimezone(ZoneInfo(month.timezone)).date()
    last = min(date(after.year, after.number, 1) - timedelta(days=1), today)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
