"""The lease: the process that holds it owns the sockets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, String, text
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.database.fence import SHARD
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Lease(Base):
    """The owner of a shard of companies; the shards of a share have one owner.

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
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM events) AS event_id,"
        " (SELECT COALESCE(MAX(id), 0) FROM deliveries) AS delivery_id,"
        " COALESCE(MAX(last_event_id), 0) AS removed_event_id,"
        " COALESCE(MAX(last_delivery_id), 0) AS removed_id"
        f" FROM leases WHERE shard = {SHARD}"
    )
    found = connection.execute(query).one()
    events = max(found.event_id, found.removed_event_id)
    return events, max(found.delivery_id, found.removed_id)
