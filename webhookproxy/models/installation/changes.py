"""The log by which a running server learns what another process changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import Base
from webhookproxy.models.types import Id, Instant


class Revision(Base):
    """One row: the number of changes so far.

    A transaction that changes a company raises it, and so locks the row until the commit. On both
    databases the changes become visible in the order of their numbers, and a reader that asks for
    "later than the last I saw" misses none.
    """

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Id, default=0)


class Change(Base):
    """Company `company_id`, or one of its webhooks, was created, edited or deleted.

    With `webhook_id`, a user acted on deliveries of that webhook; with `delivery_id` too, that
    delivery must be tried at once.
    """

    __tablename__ = "changes"

    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    company_id: Mapped[int] = mapped_column(Id)
    webhook_id: Mapped[int | None] = mapped_column(Id)
    delivery_id: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)


def note_change(
    session: Session, company_id: int, webhook_id: int | None = None, delivery_id: int | None = None
) -> None:
    """Tell every running server to read the company again, after this transaction's commit.

    `webhook_id` and `delivery_id`: see Change.
    """
    number = session.scalar(
        update(Revision).values(number=Revision.number + 1).returning(Revision.number)
    )
    change = insert(Change).values(
        number=number,
        company_id=company_id,
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        at=utc_now(),
    )
    session.execute(change)


def newest_change(session: Session) -> int:
    """Return the number of the last change; 0 if there was none."""
    return session.scalar(select(Revision.number)) or 0


def changes_since(session: Session, number: int) -> tuple[int, set[int]]:
    """Return the number of the last change, and the companies changed after `number`."""
    rows = session.execute(select(Change.number, Change.company_id).where(Change.number > number))
    found = [(row.number, row.company_id) for row in rows]
    return max([number, *(each for each, _ in found)]), {company for _, company in found}


def delivery_actions_between(session: Session, after: int, upto: int) -> dict[int, list[int]]:
    """Return the webhooks on whose deliveries users acted, in the changes above `after` to `upto`.

    Each has the deliveries that must be tried at once, in the order of the requests.
    """
    rows = session.execute(
        select(Change.webhook_id, Change.delivery_id)
        .where(Change.number > after, Change.number <= upto, Change.webhook_id.is_not(None))
        .order_by(Change.number)
    )
    found: dict[int, list[int]] = {}
    for row in rows:
        asked = found.setdefault(int(row.webhook_id), [])
        if row.delivery_id is not None:
            asked.append(row.delivery_id)
    return found
