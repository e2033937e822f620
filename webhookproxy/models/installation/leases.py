"""Which process owns the sockets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Lease(Base):
    """The owner of a shard of companies; today there is one shard, number 0.

    Every change of owner raises `fence`, and what an owner writes is refused once `fence` is no
    longer its own. `heartbeat_at` is on the database's clock.
    """

    __tablename__ = "leases"

    shard: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    fence: Mapped[int] = mapped_column(Id)
    holder: Mapped[str] = mapped_column(String(80))
    heartbeat_at: Mapped[datetime | None] = mapped_column(Instant)
    # Since when the owner takes events and cannot store them; None while it can.
    failing_since: Mapped[datetime | None] = mapped_column(Instant)
    # The highest numbers of rows that were removed: a number is never given twice.
    last_event_id: Mapped[int] = mapped_column(Id, default=0)
    last_delivery_id: Mapped[int] = mapped_column(Id, default=0)
