"""The outbox: each message to a person, and which alerts it tells of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant, Secret, partial_index

_WAITING = "sent_at IS NULL AND given_up_at IS NULL"


class MessageKind(StrEnum):
    """What a message is about; these words are in the contract of our own POST."""

    OPENED = "alert.opened"
    CLOSED = "alert.closed"
    REMINDER = "alert.reminder"
    DIGEST = "alert.digest"
    MORNING = "morning"
    # These two go to one address only.
    TEST = "test"
    CONFIRMATION = "confirmation"


class Part(StrEnum):
    """What a message tells of an alert."""

    OPENED = "opened"
    CLOSED = "closed"
    REMINDED = "reminded"


class AlertMessage(Base):
    """One message to one user; it is sent to the first address that takes it.

    `message_id` is the same at each try, and receivers get it. The text of an alert is written when
    it is sent, from its parts, so it tells of no company that the user may not see any more. Only a
    message to one address (`address_id`) brings its own text: a test or a confirmation. `due_at` is
    when it is tried next. `error` is our own code of the last try; a message with `given_up_at` is
    not tried any more.
    """

    __tablename__ = "alert_messages"
    __table_args__ = (
        # Few among many: these are looked for every second.
        partial_index("ix_alert_messages_waiting", "due_at", where=_WAITING),
        Index("ix_alert_messages_user_id_created_at", "user_id", "created_at"),
        Index("ix_alert_messages_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    address_id: Mapped[int | None] = mapped_column(
        ForeignKey("alert_addresses.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[str | None] = mapped_column(Secret)
    link: Mapped[str | None] = mapped_column(Secret)
    created_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_by: Mapped[int | None] = mapped_column(
        ForeignKey("alert_addresses.id", ondelete="SET NULL"), index=True
    )
    given_up_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(String(30))


class AlertMessagePart(Base):
    """What a message tells of one alert. `changes` of its state within an hour made it a digest."""

    __tablename__ = "alert_message_parts"

    message_id: Mapped[int] = mapped_column(
        ForeignKey("alert_messages.id", ondelete="CASCADE"), primary_key=True
    )
    alert_id: Mapped[int] = mapped_column(
        ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    part: Mapped[str] = mapped_column(String(10), primary_key=True)
    changes: Mapped[int] = mapped_column(SmallInteger, default=0)
