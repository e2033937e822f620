"""The formats that webhooks had before: what was sent in one of them is tried again in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, Engine, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class PastFormat(Base):
    """A format that a webhook no longer has, by the number that its deliveries note.

    The number 0 needs no row: it is the default, which every webhook has until it gets another.
    """

    __tablename__ = "past_formats"

    webhook_id: Mapped[int] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    format: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    replaced_at: Mapped[datetime] = mapped_column(Instant)


def keep_format(
    session: Session, webhook_id: int, number: int, stored: dict[str, Any] | None
) -> None:
    """Keep the format that a webhook had until now."""
    if number:
        now = datetime.now(UTC)
        session.add(
            PastFormat(webhook_id=webhook_id, number=number, format=stored, replaced_at=now)
        )


def past_format(
    reading: Session | Connection, webhook_id: int, number: int
) -> dict[str, Any] | None:
    """Return a format that a webhook had before; raise LookupError if it is not kept."""
    if not number:
        return None
    query = select(PastFormat.format).where(
        PastFormat.webhook_id == webhook_id, PastFormat.number == number
    )
    row = reading.execute(query).first()
    if row is None:
        raise LookupError(f"the format {number} of webhook_{webhook_id} is not kept")
    found: dict[str, Any] | None = row[0]
    return found


def read_past_format(engine: Engine, webhook_id: int, number: int) -> dict[str, Any] | None:
    """Return the same, on a connection of its own."""
    with engine.connect() as connection:
        return past_format(connection, webhook_id, number)
