"""The formats that webhooks had before: what was sent in one of them is tried again in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, Engine, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.events.formats.definition import Format
from webhookproxy.events.formats.stored import stored_format
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant

Stored = dict[str, Any] | None


class PastFormat(Base):
    """A format that a webhook no longer has, by the number that its deliveries note.

    The number 0 needs no row: it is the default, which every webhook has until it gets another.
    """

    __tablename__ = "past_formats"
    __table_args__ = (Index("ix_past_formats_number", "webhook_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column()
    format: Mapped[dict[str, Any] | None] = mapped_column("body_format", JSON(none_as_null=True))
    replaced_at: Mapped[datetime] = mapped_column(Instant)


def change_format(
    session: Session, webhook_id: int, number: int, old: Stored, wanted: Format
) -> tuple[Stored, int]:
    """Return what is stored of a webhook's format from now on, with its number; keep the old."""
    stored = stored_format(wanted)
    if stored == old:
        return old, number
    if number:
        now = utc_now()
        session.add(PastFormat(webhook_id=webhook_id, number=number, format=old, replaced_at=now))
    return stored, number + 1


def past_format(reading: Session | Connection, webhook_id: int, number: int) -> Stored:
    """Return a format that a webhook had before; raise LookupError if it is not kept."""
    if not number:
        return None
    query = select(PastFormat.format).where(
        PastFormat.webhook_id == webhook_id, PastFormat.number == number
    )
    row = reading.execute(query).first()
    if row is None:
        raise LookupError(f"the format {number} of webhook_{webhook_id} is not kept")
    found: Stored = row[0]
    return found


def read_past_format(engine: Engine, webhook_id: int, number: int) -> Stored:
    """Return the same, on a connection of its own."""
    with engine.connect() as connection:
        return past_format(connection, webhook_id, number)
