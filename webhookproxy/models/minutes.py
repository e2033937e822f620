"""The counts of the last hours by the minute, for the charts of an hour.

They stand beside the hourly counts, written in the same transactions, and live for two hours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.database.bulk import insert_rows
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id

MINUTE_MS = 60_000
MINUTES_OF_HOUR = 60
# The series whose owner is a company; the others are outcomes, and their owner is a webhook.
EVENTS = "events"

# By the owner, the minute, the series and the bucket: how many.
Minutes = Mapping[tuple[int, int, str, int], int]


class MinuteCount(Base):
    """The number of events of a company, or of outcomes of a webhook, in one minute.

    `bucket` is that of HourlyDeliveries; 0 for events.
    """

    __tablename__ = "minute_counts"

    owner_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    series: Mapped[str] = mapped_column(String(10), primary_key=True)
    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Id)


def count_minutes(connection: Connection, counted: Minutes) -> None:
    """Add to the counts by the minute."""
    insert_rows(
        connection,
        "minute_counts",
        ("owner_id", "minute", "series", "bucket", "count"),
        [(*key, count) for key, count in sorted(counted.items())],
        "ON CONFLICT (owner_id, series, minute, bucket)"
        " DO UPDATE SET count = minute_counts.count + excluded.count",
    )


def by_the_hour(counted: Minutes) -> dict[tuple[int, int, str, int], int]:
    """Return the same counts by the hour."""
    hours: defaultdict[tuple[int, int, str, int], int] = defaultdict(int)
    for (owner_id, minute, series, bucket), count in counted.items():
        hours[owner_id, minute // MINUTES_OF_HOUR, series, bucket] += count
    return dict(hours)
