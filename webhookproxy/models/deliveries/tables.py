"""What is due to each webhook, and every attempt at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.bulk import numbers
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.rules import Refused

OPEN = "state IN ('queued', 'retrying')"
ENDED_BADLY = "state IN ('refused', 'expired', 'cancelled')"
# Ended without a POST, as its webhook wants it.
KEPT_BACK = "state IN ('filtered', 'simulated')"
# Ended by somebody, and not because its webhook or company was deleted.
DISCARDED = "reason = 'discarded'"
CONDITION_MAX = 300


class Delivery(Base):
    """One event due to one webhook. Times are milliseconds since 1970.

    `attempts` counts HTTP requests, `tries` those that count against the event (probes of an
    open circuit do not). `born_ms` is on the webhook's own clock, which stands while it is
    paused: age is that clock now less `born_ms`. Resending begins `tries`, `born_ms` and
    `first_attempt_ms` anew; `attempts` goes on.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        # The lanes read only what has not ended: partial indices stay as small as the backlog.
        Index(
            "ix_deliveries_open",
            "webhook_id",
            "id",
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
        Index(
            "ix_deliveries_open_key",
            "webhook_id",
            "order_key",
            "id",
            sqlite_where=text(OPEN),
            postgresql_where=text(OPEN),
        ),
        Index("ix_deliveries_event_id", "event_id"),
        # The lists of the pages: all of a webhook, and what needs somebody's attention.
        Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
        Index(
            "ix_deliveries_ended_badly",
            "webhook_id",
            "id",
            sqlite_where=text(ENDED_BADLY),
            postgresql_where=text(ENDED_BADLY),
        ),
        # Few among many: a list of them would read thousands of others to fill a page.
        Index(
            "ix_deliveries_kept_back",
            "webhook_id",
            "id",
            sqlite_where=text(KEPT_BACK),
            postgresql_where=text(KEPT_BACK),
        ),
        # The same of all webhooks together, as an administrator lists them.
        Index(
            "ix_deliveries_ended_badly_id",
            "id",
            sqlite_where=text(ENDED_BADLY),
            postgresql_where=text(ENDED_BADLY),
        ),
        Index(
            "ix_deliveries_kept_back_id",
            "id",
            sqlite_where=text(KEPT_BACK),
            postgresql_where=text(KEPT_BACK),
        ),
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
    # Of a filtered one: the condition that did not hold, in words.
    condition: Mapped[str | None] = mapped_column(String(CONDITION_MAX))
    # How often somebody had it sent again.
    resends: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)


class Attempt(Base):
    """One HTTP request and what came back: 1 KB of a success, 16 KB of a failure."""

    __tablename__ = "attempts"

    delivery_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_ms: Mapped[int] = mapped_column(Id)
    duration_ms: Mapped[int] = mapped_column()
    status: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(String(30))
    detail: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    probe: Mapped[bool] = mapped_column(default=False)


class HourlyDeliveries(Base):
    """How many deliveries of a webhook ended how in an hour, and how long they took.

    `bucket` is the power of two, in milliseconds, that the time from arrival to the end stayed
    under: latency percentiles come from adding rows, not from reading deliveries.
    """

    __tablename__ = "hourly_deliveries"

    webhook_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(String(10), primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Id)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the body of a POST is built from: the stored columns of one event."""

    public_id: str
    company_id: int
    name: str
    payload: str
    socket_id: str
    token_mask: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that has not ended, as the lanes carry it."""

    id: int
    webhook_id: int
    order_key: str
    tries: int
    attempts: int
    born_ms: int
    first_attempt_ms: int | None
    due_ms: int | None
    facts: Facts


DUE_COLUMNS = (
    "d.id, d.webhook_id, d.order_key, d.tries, d.attempts, d.born_ms, d.first_attempt_ms,"
    " d.due_ms, e.public_id, e.company_id, e.name, e.payload, e.socket_id, e.token_mask,"
    " e.received_ms"
)
DUE_TABLES = "deliveries d JOIN events e ON e.id = d.event_id"


def due_from_row(row: Sequence[Any]) -> Due:
    """A Due from a row of DUE_COLUMNS."""
    (delivery_id, webhook_id, order_key, tries, attempts, born_ms, first_ms, due_ms, *facts) = row
    return Due(
        delivery_id,
        webhook_id,
        order_key,
        tries,
        attempts,
        born_ms,
        first_ms,
        due_ms,
        Facts(*facts),
    )


def stored_due(session: Session, delivery_id: int) -> Due | None:
    """A delivery with what its body is built from, ended or not; None if there is none."""
    query = text(f"SELECT {DUE_COLUMNS} FROM {DUE_TABLES} WHERE d.id = :id")
    row = session.execute(query, {"id": delivery_id}).one_or_none()
    return None if row is None else due_from_row(row)


def find_delivery(session: Session, delivery_id: int) -> Delivery:
    """A delivery as it is stored now; Refused if there is none with this number."""
    delivery = session.get(Delivery, delivery_id, populate_existing=True)
    if delivery is None:
        raise Refused.one(
            "delivery",
            f"There is no delivery_{delivery_id}: it may be older than what is kept.",
            f"Não há entrega {delivery_id}: ela pode ser mais antiga que o período guardado.",
        )
    return delivery


# The column of webhook_health in which what ends without an attempt is counted.
_COUNTED_IN = {DeliveryState.EXPIRED: "expired", DeliveryState.CANCELLED: "cancelled"}


def end_deliveries(
    connection: Connection,
    webhook_id: int,
    ids: Sequence[int],
    state: DeliveryState,
    reason: DeliveryReason,
    now_ms: int,
) -> int:
    """End those of a webhook's deliveries that wait, as expired or cancelled; how many did.

    What ended meanwhile stays as it is, and is not counted again.
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
    return ended
