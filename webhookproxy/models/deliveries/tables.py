"""The deliveries of each webhook, and the attempts at each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.bulk import insert_rows, numbers
from webhookproxy.extensions import Base
from webhookproxy.models.minutes import MINUTE_MS, Minutes, by_the_hour, count_minutes
from webhookproxy.models.types import Id, partial_index
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.rules import Refused

OPEN = "state IN ('queued', 'retrying')"
ENDED_BADLY = "state IN ('refused', 'expired', 'cancelled')"
# Ended without a POST, because of the webhook's settings.
KEPT_BACK = "state IN ('filtered', 'simulated')"
# Ended by a user, and not because its webhook or company was deleted.
DISCARDED = "reason = 'discarded'"
NOT_ACCEPTED = "reason NOT IN ('accepted', 'apps_script_ran')"
# Sent in another format than the one that every webhook begins with.
NUMBERED = "format_number IS NOT NULL"
CONDITION_MAX = 300


class Delivery(Base):
    """One event due to one webhook. Times are milliseconds since 1970.

    `attempts` counts HTTP requests, `tries` those that count against the event (probes of an
    open circuit do not). `born_ms` is on the webhook's clock, which stands still during a pause;
    the age is that clock's present time less `born_ms`. A resend resets `tries`, `born_ms` and
    `first_attempt_ms`, but not `attempts`.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        # The lanes read only open deliveries: a partial index is as small as the backlog.
        partial_index("ix_deliveries_open", "webhook_id", "id", where=OPEN),
        partial_index("ix_deliveries_open_key", "webhook_id", "order_key", "id", where=OPEN),
        Index("ix_deliveries_event_id", "event_id"),
        # The lists of the pages: all deliveries of a webhook, and those that need attention.
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        partial_index("ix_deliveries_ended_badly", "webhook_id", "id", where=ENDED_BADLY),
        # Few among many: without an index a list would read thousands of others for a page.
        partial_index("ix_deliveries_kept_back", "webhook_id", "id", where=KEPT_BACK),
        # The same for all webhooks together, in an administrator's list.
        partial_index("ix_deliveries_ended_badly_id", "id", where=ENDED_BADLY),
        partial_index("ix_deliveries_kept_back_id", "id", where=KEPT_BACK),
        # Whether a past format of a webhook is still needed.
        partial_index("ix_deliveries_format", "webhook_id", "format_number", where=NUMBERED),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(Id)
    webhook_id: Mapped[int] = mapped_column(Id)
    order_key: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(30))
    tries: Mapped[int] = mapped_column(SmallInteger)
    attempts: Mapped[int] = mapped_column()
    born_ms: Mapped[int] = mapped_column(Id)
    first_attempt_ms: Mapped[int | None] = mapped_column(Id)
    due_ms: Mapped[int | None] = mapped_column(Id)
    ended_ms: Mapped[int | None] = mapped_column(Id)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    # The condition that a filtered delivery did not meet, in words.
    condition: Mapped[str | None] = mapped_column(String(CONDITION_MAX))
    # The number of times that users asked to send it.
    resends: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    # The group of its last refusal (models.deliveries.refusals).
    refusal_group_id: Mapped[int | None] = mapped_column(Id)
    # True if the webhook got its event only because a user asked for that later; then its number
    # may be higher than those of newer events.
    sent_later: Mapped[bool | None] = mapped_column()
    # The number of the webhook's format at the first attempt, which all others keep. None before
    # it, and for the format 0.
    format_number: Mapped[int | None] = mapped_column()


class Attempt(Base):
    """One HTTP request and its answer: 1 KB of a success, 16 KB of a failure.

    Only a failure has `answer_headers`: one a line, without credentials, up to 2 KB.
    """

    __tablename__ = "attempts"
    # Without the successes, which are many, the index costs a sent event nothing.
    __table_args__ = (
        partial_index("ix_attempts_failed", "webhook_id", "started_ms", where=NOT_ACCEPTED),
    )

    delivery_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_ms: Mapped[int] = mapped_column(Id)
    duration_ms: Mapped[int] = mapped_column()
    status: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(String(30))
    detail: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    answer_headers: Mapped[str | None] = mapped_column(Text)
    probe: Mapped[bool] = mapped_column(default=False)
    # That of the delivery; None for attempts from before this column.
    webhook_id: Mapped[int | None] = mapped_column(Id)
    # The number of the format that was sent; None is 0.
    format_number: Mapped[int | None] = mapped_column()


# The outcome under which the hourly counts have attempts that failed: of a delivery that waits for
# another try, nothing else counts yet.
FAILED_ATTEMPT = "failed"
_BY_THE_MINUTE = frozenset({"delivered", "refused", "expired", FAILED_ATTEMPT})


class HourlyDeliveries(Base):
    """The number of deliveries of a webhook in one hour, by outcome and duration.

    The time from arrival to the end was less than `bucket`, a power of two of milliseconds; 0 for
    those that ended without an attempt. Pages add up these rows for latency percentiles, and never
    read deliveries.
    """

    __tablename__ = "hourly_deliveries"

    webhook_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(String(10), primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Id)


@dataclass(frozen=True, slots=True)
class Facts:
    """The stored columns of one event that the body of a POST is built from."""

    public_id: str
    company_id: int
    name: str
    payload: str
    socket_id: str
    token_mask: str
    received_ms: int
    recovered: bool = False
    recording_base: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that has not ended, in the form that the lanes use."""

    id: int
    webhook_id: int
    order_key: str
    tries: int
    attempts: int
    born_ms: int
    first_attempt_ms: int | None
    due_ms: int | None
    facts: Facts
    resends: int = 0
    format_number: int | None = None

    def format_of(self, newest: int) -> int:
        """Return the number of its format; `newest` is what an event gets at its first attempt."""
        if self.format_number is not None:
            return self.format_number
        return 0 if self.attempts else newest


DUE_COLUMNS = (
    "d.id, d.webhook_id, d.order_key, d.tries, d.attempts, d.born_ms, d.first_attempt_ms,"
    " d.due_ms, e.public_id, e.company_id, e.name, e.payload, e.socket_id, e.token_mask,"
    " e.received_ms, e.recovered, e.recording_base, d.resends, d.format_number"
)
DUE_TABLES = "deliveries d JOIN events e ON e.id = d.event_id"


def due_from_row(row: Sequence[Any]) -> Due:
    """Return a Due from a row of DUE_COLUMNS."""
    (delivery_id, webhook_id, order_key, tries, attempts, born_ms, first_ms, due_ms, *rest) = row
    return Due(
        delivery_id,
        webhook_id,
        order_key,
        tries,
        attempts,
        born_ms,
        first_ms,
        due_ms,
        Facts(*rest[:-2]),
        resends=rest[-2],
        format_number=rest[-1],
    )


def stored_due(session: Session, delivery_id: int) -> Due | None:
    """Return a delivery, open or ended, with its event's columns, or None."""
    query = text(f"SELECT {DUE_COLUMNS} FROM {DUE_TABLES} WHERE d.id = :id")
    row = session.execute(query, {"id": delivery_id}).one_or_none()
    return None if row is None else due_from_row(row)


def find_delivery(session: Session, delivery_id: int) -> Delivery:
    """Return a delivery as it is stored now; raise Refused if the number has none."""
    delivery = session.get(Delivery, delivery_id, populate_existing=True)
    if delivery is None:
        raise Refused.one(
            "delivery",
            f"There is no delivery_{delivery_id}: it may be older than the retention time.",
            f"Não há entrega {delivery_id}: ela pode ser mais antiga que o período guardado.",
        )
    return delivery


# The columns of webhook_health that count deliveries which end without an attempt.
_COUNTED_IN = {DeliveryState.EXPIRED: "expired", DeliveryState.CANCELLED: "cancelled"}


def open_deliveries(
    connection: Connection, event_ids: Iterable[int]
) -> dict[tuple[object, ...], int]:
    """Return the numbers of the deliveries of events that have not ended, by event and webhook."""
    query = f"SELECT event_id, webhook_id, id FROM deliveries WHERE event_id IN ({{}}) AND {OPEN}"
    found = connection.execute(text(query.format(numbers(event_ids))))
    return {(row.event_id, row.webhook_id): row.id for row in found}


def end_deliveries(
    connection: Connection,
    webhook_id: int,
    ids: Sequence[int],
    state: DeliveryState,
    reason: DeliveryReason,
    now_ms: int,
) -> int:
    """End the waiting ones of these deliveries as expired or cancelled; return how many.

    A delivery that has ended by then stays unchanged, and is not counted again.
    """
    if not ids:
        return 0
    ended = connection.execute(
        text(
            "UPDATE deliveries SET state = :state, reason = :reason, ended_ms = :now"
            f" WHERE id IN ({numbers(ids)}) AND {OPEN}"
        ),
        {"state": state.value, "reason": reason.value, "now": now_ms},
    ).rowcount
    column = _COUNTED_IN[state]
    connection.execute(
        text(f"UPDATE webhook_health SET {column} = {column} + :n WHERE webhook_id = :id"),
        {"n": ended, "id": webhook_id},
    )
    if ended:
        count_ended(connection, {(webhook_id, now_ms // MINUTE_MS, state.value, 0): ended})
    return ended


def count_ended(connection: Connection, ended: Minutes) -> None:
    """Add to the counts by the hour, and to those by the minute that a chart shows.

    `ended` are by webhook, minute, outcome and bucket.
    """
    count_minutes(connection, {key: n for key, n in ended.items() if key[2] in _BY_THE_MINUTE})
    insert_rows(
        connection,
        "hourly_deliveries",
        ("webhook_id", "hour", "outcome", "bucket", "count"),
        [(*key, count) for key, count in sorted(by_the_hour(ended).items())],
        "ON CONFLICT (webhook_id, hour, outcome, bucket)"
        " DO UPDATE SET count = hourly_deliveries.count + excluded.count",
    )
