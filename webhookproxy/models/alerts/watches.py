"""What a user wants to be told of, where that differs from the defaults."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, partial_index


class AlertWatch(Base):
    """Whether a condition is watched for a user, and how many minutes it must last.

    Without a company it is about all of them, and one with a company goes before it. `minutes` is
    None for the default of the condition (webhookproxy.alerts.conditions).
    """

    __tablename__ = "alert_watches"
    __table_args__ = (
        Index(
            "uq_alert_watches_user_id_company_id_condition",
            "user_id",
            "company_id",
            "condition",
            unique=True,
        ),
        # In the index above each missing company would count as another one.
        partial_index(
            "uq_alert_watches_user_id_condition",
            "user_id",
            "condition",
            where="company_id IS NULL",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    company_id: Mapped[int | None] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    condition: Mapped[str] = mapped_column(String(20))
    is_on: Mapped[bool] = mapped_column(default=True)
    minutes: Mapped[int | None] = mapped_column()
