"""Figures by the hour, from the hourly counters: no page counts rows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webhookproxy.database.clock import seconds_now, utc_now
from webhookproxy.events.silence import HOUR_SECONDS, hour_of
from webhookproxy.models import HourlyDeliveries, HourlyEvents

K = TypeVar("K", int, str)

# The outcomes of deliveries that did not arrive, without those that a user cancelled.
FAILED = frozenset({"refused", "expired"})


class Latency(NamedTuple):
    """The milliseconds in which 50, 95 and 99 per cent of deliveries arrived; estimates."""

    p50: int
    p95: int
    p99: int


def this_hour() -> int:
    """Return the number of this hour since 1970."""
    return hour_of(seconds_now())


def first_hour_of_today(timezone: str) -> int:
    """Return the number of the hour in which today began in a timezone."""
    today = (
        utc_now().astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    )
    return int(today.timestamp()) // HOUR_SECONDS


def events_by_hour(
    session: Session, companies: Collection[int], since: int, until: int | None = None
) -> dict[int, int]:
    """Return the number of events in each hour from `since` on, without empty hours."""
    return _events_by(HourlyEvents.hour, session, companies, since, until)


def events_by_company(session: Session, companies: Collection[int], since: int) -> dict[int, int]:
    """Return the number of events of each company from hour `since` on."""
    return _events_by(HourlyEvents.company_id, session, companies, since, None)


def events_by_name(
    session: Session, company_id: int, since: int, until: int | None = None
) -> dict[str, int]:
    """Return the number of events of each name from hour `since` on, the most frequent first."""
    return _events_by(HourlyEvents.name, session, [company_id], since, until)


def _events_by(
    column: InstrumentedAttribute[K],
    session: Session,
    companies: Collection[int],
    since: int,
    until: int | None,
) -> dict[K, int]:
    count = func.sum(HourlyEvents.count)
    query = (
        select(column, count)
        .where(HourlyEvents.company_id.in_(companies), HourlyEvents.hour >= since)
        .group_by(column)
        .order_by(count.desc(), column)
    )
    if until is not None:
        query = query.where(HourlyEvents.hour < until)
    return {key: int(many) for key, many in session.execute(query)}


def deliveries_by_outcome(
    session: Session, webhooks: Collection[int], since: int
) -> dict[tuple[int, str], int]:
    """Return the number of deliveries that ended, by hour from `since` on and by outcome."""
    rows = session.execute(
        select(HourlyDeliveries.hour, HourlyDeliveries.outcome, func.sum(HourlyDeliveries.count))
        .where(HourlyDeliveries.webhook_id.in_(webhooks), HourlyDeliveries.hour >= since)
        .group_by(HourlyDeliveries.hour, HourlyDeliveries.outcome)
    )
    return {(hour, outcome): int(count) for hour, outcome, count in rows}


def by_hour(ended: dict[tuple[int, str], int], outcomes: Collection[str]) -> dict[int, int]:
    """Return the number of deliveries that ended in each hour with one of these outcomes."""
    counts: dict[int, int] = {}
    for (hour, outcome), count in ended.items():
        if outcome in outcomes:
            counts[hour] = counts.get(hour, 0) + count
    return counts


def latency(session: Session, webhook_id: int, since: int) -> Latency | None:
    """Return the time from an event's arrival to the answer that accepted it.

    It counts the deliveries that ended from hour `since` on; None without any.
    """
    rows = session.execute(
        select(HourlyDeliveries.bucket, func.sum(HourlyDeliveries.count))
        .where(
            HourlyDeliveries.webhook_id == webhook_id,
            HourlyDeliveries.hour >= since,
            HourlyDeliveries.outcome == "delivered",
        )
        .group_by(HourlyDeliveries.bucket)
        .order_by(HourlyDeliveries.bucket)
    )
    return latency_of({bucket: int(count) for bucket, count in rows})


def latency_of(buckets: Mapping[int, int]) -> Latency | None:
    """Return the percentiles of counts by bucket; a bucket's times are below that power of two."""
    if not any(buckets.values()):
        return None
    return Latency(*(_percentile(buckets, share) for share in (0.50, 0.95, 0.99)))


def _percentile(buckets: Mapping[int, int], share: float) -> int:
    """Return an estimate, as if the deliveries of a bucket lay evenly in it, by their logarithm.

    It is in the bucket of the exact value, whose upper bound is twice the lower one.
    """
    rank, passed, exponent = sum(buckets.values()) * share, 0, 0.0
    for bucket, count in sorted(buckets.items()):
        if count and passed + count >= rank:
            exponent = max(0.0, bucket - 1 + (rank - passed) / count)
            break
        passed += count
    return _two_digits(2.0**exponent)


def _two_digits(value: float) -> int:
    """Return a value with two digits, as an estimate has: 1,200 for 1,234."""
    return round(value) if value < 100 else int(round(value, 1 - int(math.log10(value))))


def latency_by_hour(session: Session, webhook_id: int, since: int) -> dict[int, Latency]:
    """Return the percentiles of each hour from `since` on in which anything was delivered."""
    rows = session.execute(
        select(HourlyDeliveries.hour, HourlyDeliveries.bucket, HourlyDeliveries.count).where(
            HourlyDeliveries.webhook_id == webhook_id,
            HourlyDeliveries.hour >= since,
            HourlyDeliveries.outcome == "delivered",
        )
    )
    buckets: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for hour, bucket, count in rows:
        buckets[hour][bucket] = int(count)
    found = {hour: latency_of(counts) for hour, counts in buckets.items()}
    return {hour: each for hour, each in found.items() if each is not None}
