"""Recoveries: times for which 3C Plus is asked for the calls that no socket brought.

A request is a row. The process that owns the sockets works through it (see `recovery`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, SmallInteger, String, false, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from webhookproxy.extensions import Base
from webhookproxy.models.events import HourlyEvents
from webhookproxy.models.types import Id, partial_index

HOUR_MS = 3_600_000
# So far back calls are asked for: the ledger has all of those days.
MOST_MS = 30 * 24 * HOUR_MS
# When the calls of a gap are asked for, after its end: histories arrive late.
LOOKS_MS = (2 * 60_000, 5 * 60_000, 15 * 60_000)

# A sweep: how often it is done, and the hours that it asks for.
SWEEP_EVERY_MS = 30 * 60_000
SWEEP_OVER_MS = 3 * HOUR_MS

# Requests of a company among which those of its gaps are looked for.
LOOKED_AT = 200
# Requests of a month that are added up.
SPANS_MAX = 5_000

UNDER_WAY = "state IN ('counting', 'running')"


class RecoveryState(StrEnum):
    """Counting before a user confirms, counted, fetching, over, or ended by what 3C Plus said."""

    COUNTING = "counting"
    COUNTED = "counted"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class Recovery(Base):
    """A request and its progress. Times are milliseconds since 1970.

    `look` counts the times that 3C Plus was asked, `period` and `page` are the place in the present
    one. `listed` and `missing` are of the last whole look, `recovered` of all.
    """

    __tablename__ = "recoveries"
    __table_args__ = (
        Index("ix_recoveries_company_id_id", "company_id", "id"),
        Index("ix_recoveries_gap_id", "gap_id"),
        partial_index("ix_recoveries_under_way", "next_ms", where=UNDER_WAY),
        partial_index("ix_recoveries_sweep", "company_id", "id", where="sweep"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    company_id: Mapped[int] = mapped_column(Id)
    gap_id: Mapped[int | None] = mapped_column(Id)
    # Empty if no one asked: a gap ended, or a sweep was due.
    asked_by: Mapped[str] = mapped_column(String(254), server_default="", default="")
    # A sweep that found nothing is kept until the next one ends.
    sweep: Mapped[bool] = mapped_column(server_default=false(), default=False)
    asked_ms: Mapped[int] = mapped_column(Id)
    since_ms: Mapped[int] = mapped_column(Id)
    until_ms: Mapped[int] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(10))
    look: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    period: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    page: Mapped[int] = mapped_column(server_default=text("1"), default=1)
    next_ms: Mapped[int] = mapped_column(Id)
    failures: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    # A PlatformTrouble: the last, while it lasts, or the one that ended it.
    trouble: Mapped[str | None] = mapped_column(String(20))
    listed: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    missing: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    recovered: Mapped[int] = mapped_column(server_default=text("0"), default=0)
    ended_ms: Mapped[int | None] = mapped_column(Id)

    @property
    def is_under_way(self) -> bool:
        """Whether 3C Plus will be asked again."""
        return self.state in (RecoveryState.COUNTING, RecoveryState.RUNNING)

    def begin_look(self, at_ms: int) -> None:
        """Have 3C Plus be asked from the beginning of the time, at this moment."""
        self.period, self.page, self.next_ms = 0, 1, at_ms
        self.listed = self.missing = 0


def recoveries_of(
    session: Session, company_id: int, gaps: Sequence[tuple[int, int]]
) -> list[Recovery | None]:
    """Return what was asked for the calls of each gap, a pair of its begin and its end.

    That is the request that the gap itself made, unless it was stopped and a user had the calls
    recovered since; what was only counted is of a longer time, and says nothing of a gap.
    """
    if not gaps:
        return []
    query = (
        select(Recovery)
        .where(
            Recovery.company_id == company_id,
            Recovery.until_ms >= min(gaps)[0],
            Recovery.since_ms <= max(gaps)[0],
            Recovery.sweep.is_(False),
            Recovery.state.not_in((RecoveryState.COUNTING.value, RecoveryState.COUNTED.value)),
        )
        .order_by(Recovery.id.desc())
        .limit(LOOKED_AT)
    )
    found = session.scalars(query).all()
    return [
        _of_gap([each for each in found if each.since_ms <= begin and end <= each.until_ms])
        for begin, end in gaps
    ]


def _of_gap(covering: Sequence[Recovery]) -> Recovery | None:
    """Return the request that tells of a gap among those that cover it, the newest first."""
    own = (each for each in covering if not each.asked_by and each.state != RecoveryState.STOPPED)
    return next(own, None) or next(iter(covering), None)


def _asked_by_gaps() -> tuple[ColumnElement[bool], ...]:
    """Return the condition for requests that no one asked for, but that a gap did."""
    return Recovery.asked_by == "", Recovery.sweep.is_(False)


def recovery_of_gap(
    session: Session, company_id: int, since_ms: int, until_ms: int
) -> Recovery | None:
    """Return the newest request that a gap in this time made."""
    query = (
        select(Recovery)
        .where(Recovery.company_id == company_id, *_asked_by_gaps())
        .where(Recovery.until_ms >= since_ms, Recovery.since_ms <= until_ms)
        .order_by(Recovery.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def gaps_under_way(session: Session) -> dict[int, list[tuple[int, int]]]:
    """Return the gaps whose calls are still asked for, by company."""
    query = (
        select(Recovery.company_id, Recovery.since_ms, Recovery.until_ms)
        .where(text(UNDER_WAY), *_asked_by_gaps())
        .limit(SPANS_MAX)
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for company_id, since_ms, until_ms in session.execute(query):
        found.setdefault(company_id, []).append((since_ms, until_ms))
    return found


def recovered_spans(
    session: Session, company_id: int, since_ms: int, until_ms: int
) -> list[tuple[int, int]]:
    """Return the times of which every call is here: 3C Plus was asked for them to the end.

    They are in order, and do not touch.
    """
    query = (
        select(Recovery.since_ms, Recovery.until_ms)
        .where(
            Recovery.company_id == company_id,
            Recovery.state == RecoveryState.FINISHED.value,
            Recovery.until_ms > since_ms,
            Recovery.since_ms < until_ms,
            Recovery.sweep.is_(False),
        )
        .order_by(Recovery.since_ms, Recovery.id)
        .limit(SPANS_MAX)
    )
    spans: list[tuple[int, int]] = []
    for begin, end in session.execute(query):
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((begin, end))
    return spans


def last_sweep(session: Session, company_id: int) -> Recovery | None:
    """Return the newest sweep of a company that is over; the one under way if it is the first."""
    query = (
        select(Recovery)
        .where(Recovery.company_id == company_id, Recovery.sweep)
        .order_by(Recovery.ended_ms.is_(None), Recovery.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def first_event_ms(session: Session, company_id: int) -> int | None:
    """Return the beginning of the hour of a company's first event; None without events."""
    query = (
        select(HourlyEvents.hour)
        .where(HourlyEvents.company_id == company_id)
        .order_by(HourlyEvents.hour)
        .limit(1)
    )
    hour = session.scalar(query)
    return None if hour is None else hour * HOUR_MS
