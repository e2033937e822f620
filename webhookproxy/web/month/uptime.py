"""The uptime of a company's socket: the share of the wished time in which it was open."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webhookproxy.models import AuditEntry, Company, Gap
from webhookproxy.models.audit import Action
from webhookproxy.models.recovery.recoveries import recovered_spans
from webhookproxy.models.types import to_ms

# A month with more gaps says so, and sums only the first ones.
GAPS_MAX = 5_000

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a socket was wished, how long it was missing meanwhile, and the gaps.

    Of what is missing the server sent all events again for the part `sent_again`, and of another
    part, `recovered`, the calls came back. `is_cut`: the time had more gaps than are counted.
    """

    wished: timedelta
    missing: timedelta
    sent_again: timedelta
    recovered: timedelta
    gaps: Sequence[Gap]
    is_cut: bool

    @property
    def share(self) -> float | None:
        """Return the percentage; None if no socket was wished. Never 100 if any time is missing."""
        return _share(self.wished, self.missing)

    @property
    def share_with_calls(self) -> float | None:
        """Return the percentage of the time of which the calls are here, however they came."""
        return _share(self.wished, self.missing - self.sent_again - self.recovered)


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
    lasted = [(gap.started_at, gap.ended_at or ends) for gap in gaps]
    again = [span for span, gap in zip(lasted, gaps, strict=True) if gap.recovered]
    others = [span for span, gap in zip(lasted, gaps, strict=True) if not gap.recovered]
    back = _recovered(session, company.id, others, ends)
    missing, sent_again, recovered = (_together(each, wished) for each in (lasted, again, back))
    whole = sum((last - first for first, last in wished), timedelta())
    return Uptime(whole, missing, sent_again, recovered, gaps, is_cut)


def _recovered(
    session: Session, company_id: int, gaps: Sequence[Span], ends: datetime
) -> list[Span]:
    """Return those gaps whose calls all came back; they are given in order."""
    if not gaps:
        return []
    spans = recovered_spans(session, company_id, to_ms(gaps[0][0]), to_ms(ends))
    begins = [begin for begin, _ in spans]
    found = []
    for first, last in gaps:
        place = bisect_right(begins, to_ms(first)) - 1
        if place >= 0 and to_ms(last) <= spans[place][1]:
            found.append((first, last))
    return found


def _share(wished: timedelta, missing: timedelta) -> float | None:
    if not wished:
        return None
    if not missing:
        return 100.0
    return min(99.99, int((1 - missing / wished) * 10_000) / 100)


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


def _together(spans: Sequence[Span], wished: Sequence[Span]) -> timedelta:
    """Return how long these lasted while a socket was wished."""
    return sum((_common(each, span) for each in spans for span in wished), timedelta())


def _common(one: Span, other: Span) -> timedelta:
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))
