"""The events that arrived, and their number by the hour."""

from __future__ import annotations

from sqlalchemy import Connection, Index, SmallInteger, String, Text, false, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, partial_index

# The tables that grow with the traffic (events, deliveries, attempts and the hourly counters) have
# no foreign keys, and times as plain milliseconds: one process writes them in groups, with its own
# statements, and the purge empties them in its own order.

_NEWEST = text("SELECT COALESCE(MAX(id), 0) FROM events")


class Event(Base):
    """One event as 3C Plus sent it; the body of every POST is built from these columns.

    `id` gives the order of arrival; the process that owns the sockets numbers the rows.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("uq_events_public_id", "public_id", unique=True),
        Index("ix_events_company_id_id", "company_id", "id"),
        # Unwanted events are purged earlier than their neighbours.
        partial_index("ix_events_unwanted", "id", where="note = 'unwanted'"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    public_id: Mapped[str] = mapped_column(String(40))
    company_id: Mapped[int] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(200))
    payload: Mapped[str] = mapped_column(Text)
    order_key: Mapped[str] = mapped_column(String(120))
    socket_id: Mapped[str] = mapped_column(String(64))
    token_mask: Mapped[str] = mapped_column(String(12))
    received_ms: Mapped[int] = mapped_column(Id)
    hidden: Mapped[int] = mapped_column(SmallInteger)
    note: Mapped[str | None] = mapped_column(String(12))
    # Made from what 3C Plus has on record of a call, because no socket brought it.
    recovered: Mapped[bool] = mapped_column(server_default=false(), default=False)
    # The other event of the same history: one was recovered, and the socket brought one later.
    twin: Mapped[int | None] = mapped_column(Id)
    # The public address of the server at which the link to the call's recording begins; None: its
    # bodies carry no link.
    recording_base: Mapped[str | None] = mapped_column(Text)


class HourlyEvents(Base):
    """The number of events of one name that a company got in an hour (hours since 1970, UTC)."""

    __tablename__ = "hourly_events"

    company_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    count: Mapped[int] = mapped_column(Id)


def newest_event(source: Session | Connection) -> int:
    """Return the number of the newest event of all companies; 0 without one."""
    return int(source.execute(_NEWEST).scalar_one())
