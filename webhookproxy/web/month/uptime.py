"""The uptime of a company's socket: the share of the wished time in which it was open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webhookproxy.models import AuditEntry, Company, Gap
from webhookproxy.models.audit import Action

# A month with more gaps says so, and sums only the first ones.
GAPS_MAX = 5_000

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a socket was wished, how long it was missing meanwhile, and the gaps.

    `is_cut`: the time had more gaps than are counted.
    """

    wished: timedelta
    missing: timedelta
    gaps: Sequence[Gap]
    is_cut: bool

    @property
    def share(self) -> float | None:
        """Return the percentage; None if no socket was wished. Never 100 if any time is missing."""
        if not self.wished:
            return None
        if not self.missing:
            return 100.0
        return min(99.99, int((1 - self.missing / self.wished) * 10_000) / 100)


def uptime(session: Session, company: Company, begins: datetime, ends: datetime) -> Uptime:
    """Return the uptime from `begins` to `ends`, which is not in the future."""
    wished = wished_spans(_switches(session, company, ends), company, begins, ends)
    gaps = session.scalars(
        select(Gap)
        .where(Gap.company_id == company.id, Gap.started_at < ends)
        .where(or_(Gap.ended_at.is_(None), Gap.ended_at > begins))
        .order_by(Gap.started_at)
        .limit(GAPS_MAX + 1)
    ).all()
    is_cut, gaps = len(gaps) > GAPS_MAX, gaps[:GAPS_MAX]
    missing = sum(
        (_common((gap.started_at, gap.ended_at or ends), span) for gap in gaps for span in wished),
        timedelta(),
    )
    return Uptime(sum((last - first for first, last in wished), timedelta()), missing, gaps, is_cut)


def wished_spans(
    switches: Sequence[tuple[datetime, bool]], company: Company, begins: datetime, ends: datetime
) -> list[Span]:
    """Return when a socket was wished; `switches` are the moments of Connect and Disconnect.

    Before the first known switch the wish was the opposite; without any, it was as it is now.
    """
    known = not switches[0][1] if switches else company.should_connect
    switches = [(company.created_at, known), *switches]
    spans: list[Span] = []
    nexts = [moment for moment, _ in switches[1:]] + [ends]
    for (moment, connected), until in zip(switches, nexts, strict=True):
        first, last = max(moment, begins), min(until, ends)
        if connected and first < last:
            spans.append((first, last))
    return spans


def _switches(session: Session, company: Company, ends: datetime) -> list[tuple[datetime, bool]]:
    """Return every Connect and Disconnect from the audit, the oldest first."""
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.action)
        .where(
            AuditEntry.company_id == company.id,
            AuditEntry.action.in_((Action.CONNECT.value, Action.DISCONNECT.value)),
            AuditEntry.at < ends,
        )
        .order_by(AuditEntry.id)
    )
    return [(at, action == Action.CONNECT) for at, action in rows]


def _common(one: Span, other: Span) -> timedelta:
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))
