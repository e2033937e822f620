"""The outages of webhooks: when one was failing, refusing or paused, and what came of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant, partial_index

# Deliveries that an account looks at.
COUNT_MAX = 100_000
_UNSETTLED = "settled_at IS NULL"


class OutageKind(StrEnum):
    """Nothing was accepted, a part was refused, or nothing was sent."""

    FAILING = "failing"
    REFUSING = "refusing"
    PAUSED = "paused"


class Outage(Base):
    """A time in which a webhook was failing, refusing or paused, and its account.

    It ended at `ended_at`, the first success (or the resumption); until a minute after that it may
    begin again. The account is about the deliveries that arrived or waited in that time: how many
    `waited` (of a webhook that refused: were refused), and how many of them have ended until now.
    It is final at `settled_at`, when all of them have ended. `first_id` is the lowest number that
    they may have. `is_cut` says that more than COUNT_MAX deliveries had to be looked at.
    """

    __tablename__ = "outages"
    __table_args__ = (
        Index("uq_outages_webhook_id_kind_began_at", "webhook_id", "kind", "began_at", unique=True),
        # Lists want what lasts or ended lately: a beginning says nothing of that.
        Index("ix_outages_webhook_id_ended_at", "webhook_id", "ended_at"),
        # Few among many: these are looked at once a second.
        partial_index("ix_outages_unsettled", "webhook_id", where=_UNSETTLED),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str] = mapped_column(String(30))
    status: Mapped[int | None] = mapped_column()
    began_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    first_id: Mapped[int] = mapped_column(Id)
    waited: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    missed: Mapped[int] = mapped_column(default=0)
    calls: Mapped[int] = mapped_column(default=0)
    is_cut: Mapped[bool] = mapped_column(default=False)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)

    @property
    def on_the_way(self) -> int:
        """Return how many of the deliveries have not ended yet."""
        return max(0, self.waited - self.delivered - self.missed)


def outages_of(
    session: Session, webhooks: Collection[int], begins: datetime, ends: datetime, most: int
) -> list[Outage]:
    """Return the outages of these webhooks within a time, the newest first, at most `most`."""
    found: list[Outage] = []
    # Two queries, each of which reads only its rows by the index.
    for when in (Outage.ended_at.is_(None), Outage.ended_at > begins):
        query = select(Outage).where(Outage.webhook_id.in_(webhooks), when, Outage.began_at < ends)
        newest = query.order_by(Outage.began_at.desc(), Outage.id.desc())
        found += session.scalars(newest.limit(most))
    return sorted(found, key=lambda each: (each.began_at, each.id), reverse=True)[:most]
