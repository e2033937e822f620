"""Refusals of a webhook, grouped by day and by what its receiver answered."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import ForeignKey, Index, SmallInteger, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import EPOCH, Id

# Groups of one webhook and day; the refusals beyond are counted together.
GROUPS_MAX = 50


class RefusalGroup(Base):
    """The refusals of one webhook on one day that had the same answer.

    `day` counts days since 1970 in the company's timezone. `status` is 0 for no answer. The
    refusals beyond GROUPS_MAX groups are in one with an empty `reason`. `count` counts each time
    that a delivery ended as refused; `sample_id` is the last of these deliveries.
    """

    __tablename__ = "refusal_groups"
    __table_args__ = (
        Index(
            "uq_refusal_groups_answer",
            *("webhook_id", "day", "status", "reason", "shape"),
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    day: Mapped[int] = mapped_column()
    status: Mapped[int] = mapped_column(SmallInteger)
    reason: Mapped[str] = mapped_column(String(30))
    # The answer without digits, ids and quoted texts (delivery.outcomes.answer_shape).
    shape: Mapped[str] = mapped_column(String(120))
    count: Mapped[int] = mapped_column(Id)
    sample_id: Mapped[int] = mapped_column(Id)

    @property
    def is_rest(self) -> bool:
        """Return whether these are the refusals that had no group of their own."""
        return not self.reason

    @property
    def date(self) -> date:
        """Return the day as a date."""
        return EPOCH + timedelta(days=self.day)


def groups_of(session: Session, webhook_id: int, day: int) -> list[RefusalGroup]:
    """Return the groups of one day, the largest first and the rest last."""
    query = select(RefusalGroup).where(
        RefusalGroup.webhook_id == webhook_id, RefusalGroup.day == day
    )
    found = session.scalars(query).all()
    return sorted(found, key=lambda each: (each.is_rest, -each.count, each.id))


def refusals_by_day(session: Session, webhook_id: int, since: int) -> dict[int, int]:
    """Return how many refusals each day from `since` on had, the newest day first."""
    query = (
        select(RefusalGroup.day, func.sum(RefusalGroup.count))
        .where(RefusalGroup.webhook_id == webhook_id, RefusalGroup.day >= since)
        .group_by(RefusalGroup.day)
        .order_by(RefusalGroup.day.desc())
    )
    return {day: int(count) for day, count in session.execute(query)}
