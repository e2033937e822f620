"""A handover: what the owner of the sockets and its successor tell each other."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import database_clock
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant

_WANT = (
    "INSERT INTO handovers (shard, fence, wanted, wanted_at) VALUES (:shard, 0, :wanted, {now})"
    " ON CONFLICT (shard) DO UPDATE SET wanted = excluded.wanted, wanted_at = excluded.wanted_at"
)


class Handover(Base):
    """One row for each shard, see `webhookproxy/listener/handover/agreement.py`.

    Every time is on the database's clock.
    """

    __tablename__ = "handovers"

    shard: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    # The owner that it is about.
    fence: Mapped[int] = mapped_column(Id)
    # When a process last said that it waits to own the sockets.
    waiting_at: Mapped[datetime | None] = mapped_column(Instant)
    # When a process that waits last asked the owner to end.
    asked_at: Mapped[datetime | None] = mapped_column(Instant)
    # When the owner offered its place.
    offered_at: Mapped[datetime | None] = mapped_column(Instant)
    successor: Mapped[str | None] = mapped_column(String(80))
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
    # Numbers of companies, as JSON: whose new socket is open, and whose old one closed after that.
    standing: Mapped[str | None] = mapped_column(Text)
    handed: Mapped[str | None] = mapped_column(Text)
    # The process that an administrator wants to own the shard, and when that was said.
    wanted: Mapped[str | None] = mapped_column(String(80))
    wanted_at: Mapped[datetime | None] = mapped_column(Instant)


def want_owner(session: Session, shard: int, name: str) -> None:
    """Ask the process of this name to own a share, whose first shard this is.

    The process reads it within seconds, and no longer than a minute: see engine/shares/placement.
    """
    now = database_clock(session.connection().dialect.name)
    session.execute(text(_WANT.format(now=now)), {"shard": shard, "wanted": name})
