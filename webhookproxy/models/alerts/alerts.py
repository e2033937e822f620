"""What is wrong: a row for each state that is told of, from its beginning to its end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant, partial_index


class Ending(StrEnum):
    """How a state ended."""

    WELL = "well"
    # A person switched the thing off: nothing is watched there now.
    SWITCHED_OFF = "switched_off"
    # A silence ended without an event: it is no longer a time with the usual ones.
    NOT_USUAL = "not_usual"


class Alert(Base):
    """A state that lasts, or lasted, of a company, a webhook, or (without both) the installation.

    `since` is the beginning of the state, and `opened_at` when it was noticed. People are told when
    it has lasted their number of minutes. `reason` and `status` are those of its beginning, in the
    codes of webhookproxy.reasons. `outage_id` has the account of what a webhook missed.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        # Few among many: these are compared with the states every few seconds.
        partial_index("ix_alerts_open", "condition", where="closed_at IS NULL"),
        Index("ix_alerts_closed_at", "closed_at"),
        Index("ix_alerts_company_id_since", "company_id", "since"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    condition: Mapped[str] = mapped_column(String(20))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    webhook_id: Mapped[int | None] = mapped_column(
        ForeignKey("webhooks.id", ondelete="CASCADE"), index=True
    )
    outage_id: Mapped[int | None] = mapped_column(
        ForeignKey("outages.id", ondelete="SET NULL"), index=True
    )
    since: Mapped[datetime] = mapped_column(Instant)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    ending: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(30))
    status: Mapped[int | None] = mapped_column()
