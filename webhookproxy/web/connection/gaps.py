"""The stretches without a socket, as the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Gap
from webhookproxy.models.recovery.recoveries import recoveries_of
from webhookproxy.models.types import to_ms
from webhookproxy.troubles.recovered import recovery_words

DAY = timedelta(days=1)
GAPS_MAX = 50
# In percent of the width: a gap of one second must be visible too.
LEAST = 0.5


@dataclass(frozen=True, slots=True)
class ShownGap:
    """A stretch without a socket, and where it lies in the last 24 hours (0 to 100)."""

    started_at: datetime
    ended_at: datetime | None
    why: str
    left: float
    width: float
    # How many of its calls were recovered, in words; empty if no one asked for them.
    calls: str
    # Whether the server sent all of its events again.
    recovered: bool


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps of a day, newest first; `is_cut`: there were more."""

    rows: Sequence[ShownGap]
    is_cut: bool

    @property
    def sent_again(self) -> int:
        """Return the number of gaps of which the server sent all events again."""
        return sum(gap.recovered for gap in self.rows)


def gaps_of_a_day(session: Session, company_id: int) -> Gaps:
    """Return the gaps of the last 24 hours, GAPS_MAX at most."""
    now = utc_now()
    began = now - DAY
    gaps = session.scalars(
        select(Gap)
        .where(Gap.company_id == company_id, or_(Gap.ended_at.is_(None), Gap.ended_at > began))
        .order_by(Gap.started_at.desc())
        .limit(GAPS_MAX + 1)
    ).all()
    rows = gaps[:GAPS_MAX]
    spans = [(to_ms(gap.started_at), to_ms(gap.ended_at or now)) for gap in rows]
    found = []
    for gap, recovery in zip(rows, recoveries_of(session, company_id, spans), strict=True):
        first, last = max(gap.started_at, began), gap.ended_at or now
        left, width = ((first - began) / DAY * 100, max(LEAST, (last - first) / DAY * 100))
        # One that is just over must not be drawn beyond the end.
        left = min(left, 100 - width)
        found.append(
            ShownGap(
                gap.started_at,
                gap.ended_at,
                gap.why,
                round(left, 2),
                round(width, 2),
                recovery_words(recovery),
                gap.recovered,
            )
        )
    return Gaps(found, len(gaps) > GAPS_MAX)
