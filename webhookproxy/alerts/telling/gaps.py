"""What came back of the time without a socket that an alert is about."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import GAPS
from webhookproxy.models import Alert, Gap, Recovery
from webhookproxy.models.recovery.recoveries import recovery_of_gap
from webhookproxy.models.types import to_ms

# Gaps of one alert that are looked at.
GAPS_MAX = 100


def recovery_of(session: Session, alert: Alert) -> Recovery | None:
    """Return what was asked of 3C Plus for the calls of an alert's gap, if that is over."""
    if alert.condition not in GAPS or alert.company_id is None or alert.closed_at is None:
        return None
    since_ms, until_ms = to_ms(alert.since), to_ms(alert.closed_at)
    return recovery_of_gap(session, alert.company_id, since_ms, until_ms)


def was_resent(session: Session, alert: Alert) -> bool:
    """Return whether the server sent again what was missed in every gap of an alert that ended."""
    if alert.condition not in GAPS or alert.company_id is None or alert.closed_at is None:
        return False
    query = (
        select(Gap.ended_at, Gap.recovered)
        .where(Gap.company_id == alert.company_id, Gap.started_at <= alert.closed_at)
        .order_by(Gap.started_at.desc())
        .limit(GAPS_MAX)
    )
    found = [
        recovered
        for ended_at, recovered in session.execute(query)
        if ended_at is None or ended_at >= alert.since
    ]
    return 0 < len(found) < GAPS_MAX and all(found)
