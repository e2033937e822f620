"""The addresses to which people are told, in the order in which they are tried."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger, String, false
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant, Secret


class AlertAddress(Base):
    """One address of a user; nothing but its confirmation goes to it before `confirmed_at`.

    `target` is the whole address in one text, and pages show only `label`. `position` orders the
    addresses of a user: the next one is tried when one cannot be reached. Only the hash of the
    confirmation's token is stored. Of an address that is not confirmed, `messages_unconfirmed`
    counts the messages of the day with the number `unconfirmed_day` (days since 1970).
    `last_error` is our own code for why the last message could not be sent; None if it was.
    """

    __tablename__ = "alert_addresses"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    # Read when they are asked for: decrypting takes time, and may fail.
    target: Mapped[str] = mapped_column(Secret, deferred=True)
    # The key that signs our own POST.
    secret: Mapped[str | None] = mapped_column(Secret, deferred=True)
    label: Mapped[str] = mapped_column(String(160))
    position: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    confirm_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    confirm_until: Mapped[datetime | None] = mapped_column(Instant)
    messages_unconfirmed: Mapped[int] = mapped_column(SmallInteger, default=0)
    unconfirmed_day: Mapped[int | None] = mapped_column()
    last_sent_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(String(30))


class AlertPreferences(Base):
    """How a user wants to be told; without a row: at any hour, and no morning line.

    The quiet hours are minutes of the day in Brasília; they may go past midnight. `changed_at` is
    when the user last changed these or the watches: what was over by then is not told any more.
    `morning_day` is the day of the last morning line (days since 1970).
    """

    __tablename__ = "alert_preferences"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    is_on: Mapped[bool] = mapped_column(default=True)
    quiet_from: Mapped[int | None] = mapped_column(SmallInteger)
    quiet_until: Mapped[int | None] = mapped_column(SmallInteger)
    morning_line: Mapped[bool] = mapped_column(default=False, server_default=false())
    morning_day: Mapped[int | None] = mapped_column()
    changed_at: Mapped[datetime | None] = mapped_column(Instant)
