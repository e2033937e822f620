"""The lease: the process that holds it owns the sockets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, String, text
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.database.fence import SHARD
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Lease(Base):
    """The owner of a shard of companies; today one process owns all 64.

    Every change of owner raises `fence`, and the old owner's writes are refused from then on.
    `heartbeat_at` is on the database's clock. The last three columns count for the installation,
    and only in the row of the first shard.
    """

    __tablename__ = "leases"

    shard: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    fence: Mapped[int] = mapped_column(Id)
    holder: Mapped[str] = mapped_column(String(80))
    heartbeat_at: Mapped[datetime | None] = mapped_column(Instant)
    # The owner cannot store its events since then; None while it can.
    failing_since: Mapped[datetime | None] = mapped_column(Instant)
    # The highest numbers of removed rows: a number is never used twice.
    last_event_id: Mapped[int] = mapped_column(Id, default=0)
    last_delivery_id: Mapped[int] = mapped_column(Id, default=0)
    # The ledger of histories lacks those of events after this number, which came before there was
    # a ledger; None: it has them all.
    histories_after: Mapped[int | None] = mapped_column(Id, server_default=text("0"))


def highest_numbers(connection: Connection) -> tuple[int, int]:
    """Return the highest number that any event ever had, and that any delivery ever had."""
    query = text(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM events), last_event_id,"
        " (SELECT COALESCE(MAX(id), 0) FROM deliveries), last_delivery_id"
        f" FROM leases WHERE shard = {SHARD}"
    )
    event_id, removed_event_id, delivery_id, removed_id = connection.execute(query).one()
    return max(event_id, removed_event_id), max(delivery_id, removed_id)
