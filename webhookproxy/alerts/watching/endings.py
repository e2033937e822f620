"""When and how a state ended, and which outage has the account of what was missed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, About, Condition
from webhookproxy.alerts.watching.states import Subject
from webhookproxy.models import Alert, Company, Connection, Outage, Webhook
from webhookproxy.models.alerts.alerts import Ending
from webhookproxy.models.outages import OutageKind
from webhookproxy.rules.webhooks import WebhookState

_OUTAGE_KINDS = {
    Condition.WEBHOOK_FAILING: OutageKind.FAILING,
    Condition.WEBHOOK_PAUSED: OutageKind.PAUSED,
    Condition.WEBHOOK_REFUSING: OutageKind.REFUSING,
}


class End(NamedTuple):
    """The end of a state."""

    at: datetime
    ending: Ending
    outage_id: int | None = None


def end_of(session: Session, subject: Subject, alert: Alert, now: datetime) -> End:
    """Return the end of a state that is gone."""
    is_watched = _is_watched(session, subject)
    ending = Ending.WELL if is_watched else Ending.SWITCHED_OFF
    if subject.condition is Condition.SILENCE and is_watched:
        heard = session.scalar(
            select(Connection.last_event_at).where(Connection.company_id == subject.company_id)
        )
        if heard is None or heard <= alert.since:
            ending = Ending.NOT_USUAL
    outage = _outage_of(session, subject, alert)
    if outage is None:
        return End(now, ending)
    # The first success, which came before this look.
    return End(max(alert.since, outage.ended_at or now), ending, outage.id)


def _is_watched(session: Session, subject: Subject) -> bool:
    """Return whether a person still wishes what was in the state: else it did not end well."""
    if subject.company_id is None:
        return True
    company = session.execute(
        select(Company.should_connect).where(
            Company.id == subject.company_id, Company.deleted_at.is_(None)
        )
    ).scalar()
    if company is None:
        return False
    if CONDITIONS[subject.condition].about is About.COMPANY:
        return company
    state = session.execute(
        select(Webhook.state).where(Webhook.id == subject.webhook_id, Webhook.deleted_at.is_(None))
    ).scalar()
    return state == WebhookState.ACTIVE


def _outage_of(session: Session, subject: Subject, alert: Alert) -> Outage | None:
    """Return the newest outage of a webhook's trouble, if it overlaps the alert."""
    kind = _OUTAGE_KINDS.get(subject.condition)
    if kind is None:
        return None
    outage = session.scalar(
        select(Outage)
        .where(Outage.webhook_id == subject.webhook_id, Outage.kind == kind.value)
        .order_by(Outage.began_at.desc())
        .limit(1)
    )
    if outage is None or (outage.ended_at is not None and outage.ended_at < alert.since):
        return None
    return outage
