"""The log by which a running server learns what another process changed."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Revision(Base):
    """One row: how many changes there have been.

    Whoever changes a company raises it first and so holds its row lock until the commit: on both
    databases the changes become visible in the order of their numbers, and a reader that asks
    for "later than the last I saw" misses none.
    """

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Id, default=0)


class Change(Base):
    """Company `company_id`, or one of its webhooks, was created, edited or deleted."""

    __tablename__ = "changes"

    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    company_id: Mapped[int] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)


def note_change(session: Session, company_id: int) -> None:
    """Tell every running server, once this transaction commits, to read the company anew."""
    number = session.scalar(
        update(Revision).values(number=Revision.number + 1).returning(Revision.number)
    )
    session.execute(
        insert(Change).values(number=number, company_id=company_id, at=datetime.now(UTC))
    )


def changes_since(session: Session, number: int) -> tuple[int, set[int]]:
    """The number of the last change, and the companies changed after `number`."""
    rows = session.execute(select(Change.number, Change.company_id).where(Change.number > number))
    found = [(row.number, row.company_id) for row in rows]
    return max([number, *(each for each, _ in found)]), {company for _, company in found}
