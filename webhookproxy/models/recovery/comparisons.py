"""Comparisons of a day with 3C Plus: asked for by a user, worked through by the sockets' owner."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Index, SmallInteger, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.database.clock import ms_now, utc_now
from webhookproxy.events.formats.moments import ZONE as BRASILIA
from webhookproxy.events.recovery.comparison import Compared
from webhookproxy.extensions import Base
from webhookproxy.models.audit import Actor
from webhookproxy.models.companies import find_company
from webhookproxy.models.recovery.recoveries import MOST_MS, first_event_ms
from webhookproxy.models.types import EPOCH, Id, day_number, partial_index, to_ms
from webhookproxy.rules import Refused


class ComparisonState(StrEnum):
    """Asking 3C Plus, over, or ended by what 3C Plus said."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


RUNNING = "state = 'running'"


class DayComparison(Base):
    """A request to compare a day of Brasília, and its result. Times are milliseconds since 1970.

    `listed` counts the calls that 3C Plus gave so far. The result is a Compared as JSON.
    """

    __tablename__ = "day_comparisons"
    __table_args__ = (
        Index("ix_day_comparisons_company_id_day_id", "company_id", "day", "id"),
        partial_index("ix_day_comparisons_running", "next_ms", where=RUNNING),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(Id)
    # Days since 1970.
    day: Mapped[int] = mapped_column()
    asked_by: Mapped[str] = mapped_column(String(254))
    asked_ms: Mapped[int] = mapped_column(Id)
    since_ms: Mapped[int] = mapped_column(Id)
    until_ms: Mapped[int] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(10))
    next_ms: Mapped[int] = mapped_column(Id)
    failures: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    # A PlatformTrouble: the last, while it lasts, or the one that ended it.
    trouble: Mapped[str | None] = mapped_column(String(20))
    listed: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    ended_ms: Mapped[int | None] = mapped_column(Id)
    result: Mapped[str | None] = mapped_column(Text)

    @property
    def date(self) -> date:
        """Return the day."""
        return EPOCH + timedelta(days=self.day)

    @property
    def is_running(self) -> bool:
        """Whether 3C Plus is still asked."""
        return self.state == ComparisonState.RUNNING

    @property
    def compared(self) -> Compared | None:
        """Return the result; None if there is none."""
        return None if self.result is None else Compared.from_json(self.result)


def day_bounds(day: date) -> tuple[int, int]:
    """Return the first millisecond of a day in Brasília, and that of the next day."""
    following = day + timedelta(days=1)
    begins, ends = (
        to_ms(datetime(each.year, each.month, each.day, tzinfo=BRASILIA))
        for each in (day, following)
    )
    return begins, ends


def yesterday() -> date:
    """Return the last day that is over in Brasília."""
    return utc_now().astimezone(BRASILIA).date() - timedelta(days=1)


def ask_comparison(session: Session, company_id: int, day: date, actor: Actor) -> int:
    """Have a day compared; return the number of the request.

    Raises Refused for a day that is in the future, more than 30 days ago or before the company's
    first event, or if a comparison of the company is under way.
    """
    find_company(session, company_id)
    now_ms = ms_now()
    since_ms, until_ms = _checked(session, company_id, day, now_ms)
    running = select(DayComparison).where(DayComparison.company_id == company_id, text(RUNNING))
    if (other := session.scalar(running.limit(1))) is not None:
        raise Refused.one(
            "company",
            f"{other.date} of company_{company_id} is being compared: wait for its end.",
            f"O dia {other.date:%d/%m/%Y} desta empresa está sendo comparado: espere que termine, "
            "e peça de novo.",
        )
    asked = DayComparison(
        company_id=company_id,
        day=day_number(day),
        asked_by=actor.who,
        asked_ms=now_ms,
        since_ms=since_ms,
        until_ms=until_ms,
        state=ComparisonState.RUNNING.value,
        next_ms=now_ms,
    )
    session.add(asked)
    session.flush()
    return asked.id


def newest_comparison(session: Session, company_id: int, day: date) -> DayComparison | None:
    """Return the newest request for a day."""
    query = select(DayComparison).where(
        DayComparison.company_id == company_id, DayComparison.day == day_number(day)
    )
    return session.scalar(query.order_by(DayComparison.id.desc()).limit(1))


def _checked(session: Session, company_id: int, day: date, now_ms: int) -> tuple[int, int]:
    """Return the part of the day that can be compared."""
    begins, ends = day_bounds(day)
    first = first_event_ms(session, company_id)
    if begins >= now_ms or begins < now_ms - MOST_MS:
        raise Refused.one(
            "day",
            "This day is in the future, or more than 30 days ago.",
            "Escolha um dia que já começou e que não passou de 30 dias.",
        )
    if first is None or first >= ends:
        raise Refused.one(
            "day",
            f"The first event of company_{company_id} came after this day.",
            "O primeiro evento desta empresa chegou depois deste dia: não há o que comparar.",
        )
    return max(begins, first), min(ends, now_ms)
