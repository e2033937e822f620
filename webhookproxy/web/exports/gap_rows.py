"""The lines of a file of gaps: each time without a socket, and what came back of its calls."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Gap, Recovery
from webhookproxy.models.recovery.recoveries import LOOKED_AT, recoveries_of
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.troubles.recovered import recovery_words
from webhookproxy.web.exports.csv_sheet import Round, times
from webhookproxy.web.month.period import Month

# One request may be for several gaps that followed each other soon: they have the same number.
GAPS = (
    *("Começou em", "Começou em (UTC)", "Terminou em", "Terminou em (UTC)", "Segundos sem socket"),
    *("Motivo", "Recuperada pelo servidor", "Pedido de recuperação"),
    *("Ligações recuperadas pelo pedido", "Recuperação"),
)


def gaps(company_id: int, month: Month, before: int | None, most: int) -> Round:
    """Return the newest gaps of a month that began before a moment in milliseconds."""
    now = utc_now()
    ends_ms = to_ms(month.ends)
    until = from_ms(ends_ms if before is None else min(before, ends_ms))
    # Of these times the newest LOOKED_AT requests are read, and a gap may have more than one.
    most = min(most, LOOKED_AT // 2)
    query = (
        select(Gap)
        .where(Gap.company_id == company_id, Gap.started_at < until)
        .where(or_(Gap.ended_at.is_(None), Gap.ended_at > month.begins))
        .order_by(Gap.started_at.desc())
        .limit(most + 1)
    )
    found = db.session.scalars(query).all()
    shown = found[:most]
    spans = [(to_ms(gap.started_at), to_ms(gap.ended_at or now)) for gap in shown]
    back = recoveries_of(db.session(), company_id, spans)
    rows = [
        _row(gap, recovery, month.timezone, now) for gap, recovery in zip(shown, back, strict=True)
    ]
    return Round(rows, to_ms(shown[-1].started_at) if len(found) > most else None)


def _row(gap: Gap, recovery: Recovery | None, zone: str, now: datetime) -> tuple[object, ...]:
    seconds = ((gap.ended_at or now) - gap.started_at).total_seconds()
    return (
        *times(gap.started_at, zone),
        *times(gap.ended_at, zone),
        # Excel in Portuguese reads a comma.
        f"{seconds:.1f}".replace(".", ","),
        gap.why,
        "sim" if gap.recovered else "não",
        None if recovery is None else recovery.id,
        None if recovery is None else recovery.recovered,
        recovery_words(recovery),
    )
