"""Forms that create something, each used once: a double click makes one row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant

KEPT = timedelta(days=1)


class Submission(Base):
    """The form with this key was submitted and made row `made`."""

    __tablename__ = "submissions"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    made: Mapped[int] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)


def once(session: Session, key: str, create: Callable[[], int]) -> int:
    """What `create` returns, or what it returned when this form was submitted before.

    Two submissions at the same moment follow one another: every write goes through one store, and
    of two processes the second fails on the key and makes nothing.
    """
    before = session.get(Submission, key)
    if before is not None:
        return before.made
    now = datetime.now(UTC)
    session.execute(delete(Submission).where(Submission.at < now - KEPT))
    made = create()
    session.add(Submission(key=key, made=made, at=now))
    return made
