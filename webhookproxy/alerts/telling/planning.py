"""What each person is still to be told of, and the messages that are made of it now."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import gevent
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, GAPS, URGENT, Condition
from webhookproxy.alerts.people import Person
from webhookproxy.alerts.telling.damping import HOUR, Change, Past, Planned, plan
from webhookproxy.models import Alert, AlertMessage, AlertMessagePart, Outage
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.models.recovery.recoveries import gaps_under_way
from webhookproxy.models.types import to_ms

REMINDED_AFTER = timedelta(hours=24)
# How long the end of a webhook's trouble waits until the account of its outage is final.
ACCOUNT_WAIT = timedelta(minutes=10)
# How long the end of a gap waits until its calls were asked for the last time, 15 minutes after it.
RECOVERY_WAIT = timedelta(minutes=20)
# What ended longer ago is not told any more: quiet hours are over by then.
TOLD_WITHIN = timedelta(days=2)
# Alerts in one query.
AT_ONCE = 100
# These do not count to what a person gets in an hour: the person asked for them.
ASKED_FOR = (MessageKind.TEST, MessageKind.CONFIRMATION)
# A gap is not told of beside these, which say the same.
_GAP_TOO = (Condition.CONNECTION_LOST, Condition.TOKEN_REFUSED)


@dataclass(slots=True)
class Told:
    """What one person was told: when which part of which alert, and when messages were made."""

    parts: dict[tuple[int, str], datetime] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    digests: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """The alerts that last or ended lately, and whose accounts are final.

    `recovering` are the gaps whose calls are still asked for, by company, in milliseconds.
    """

    alerts: Sequence[Alert]
    settled: frozenset[int]
    # Those of lost connections, by company.
    lost: Mapping[int | None, Sequence[Alert]] = field(default_factory=dict)
    recovering: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)


def known_alerts(session: Session, now: datetime) -> Known:
    """Return what people may still have to be told of."""
    recent = or_(Alert.closed_at.is_(None), Alert.closed_at > now - TOLD_WITHIN)
    alerts: list[Alert] = []
    for some in _chunks(session.scalars(select(Alert.id).where(recent).order_by(Alert.id)).all()):
        alerts += session.scalars(select(Alert).where(Alert.id.in_(some)).order_by(Alert.id))
    outages = {each.outage_id for each in alerts if each.outage_id and each.closed_at}
    settled = set[int]()
    for some in _chunks(sorted(outages)):
        final = select(Outage.id).where(Outage.id.in_(some), Outage.settled_at.is_not(None))
        settled.update(session.scalars(final))
    lost: dict[int | None, list[Alert]] = defaultdict(list)
    for each in alerts:
        if each.condition in _GAP_TOO:
            lost[each.company_id].append(each)
    return Known(alerts, frozenset(settled), lost, gaps_under_way(session))


def told_of(
    session: Session, persons: Iterable[Person], alerts: Iterable[Alert], now: datetime
) -> dict[int, Told]:
    """Return what each person was told of these alerts, and their messages of the last hour."""
    found = {person.id: Told() for person in persons}
    for some in _chunks([each.id for each in alerts]):
        query = (
            select(
                AlertMessage.user_id,
                AlertMessagePart.alert_id,
                AlertMessagePart.part,
                AlertMessage.created_at,
            )
            .join(AlertMessage, AlertMessage.id == AlertMessagePart.message_id)
            .where(AlertMessagePart.alert_id.in_(some))
        )
        for user_id, alert_id, part, created_at in session.execute(query):
            if user_id in found:
                found[user_id].parts[alert_id, part] = created_at
    lately = select(AlertMessage.user_id, AlertMessage.kind, AlertMessage.created_at).where(
        AlertMessage.created_at > now - timedelta(seconds=HOUR)
    )
    for user_id, kind, created_at in session.execute(lately):
        if user_id in found and kind not in ASKED_FOR:
            found[user_id].sent.append(created_at.timestamp())
            if kind == MessageKind.DIGEST:
                found[user_id].digests.append(created_at.timestamp())
    return found


def plan_for(person: Person, known: Known, told: Told, now: datetime) -> list[Planned]:
    """Return the messages to make for a person now."""
    changes = changes_for(person, known, told, now)
    if not changes:
        return []
    by_subject: dict[object, list[float]] = defaultdict(list)
    subjects = {each.id: subject_of(each) for each in known.alerts}
    for (alert_id, part), at in told.parts.items():
        if part != Part.REMINDED and alert_id in subjects:
            by_subject[subjects[alert_id]].append(at.timestamp())
    past = Past(told.sent, told.digests, by_subject)
    return plan(now.timestamp(), changes, past, quiet=person.is_quiet(now))


def changes_for(person: Person, known: Known, told: Told, now: datetime) -> list[Change]:
    """Return everything that a person is to be told and was not."""
    found: list[Change] = []
    gaps: list[Alert] = []
    for alert in known.alerts:
        if alert.condition not in CONDITIONS or not person.may_see(alert.company_id):
            continue
        if alert.condition == Condition.GAP:
            gaps.append(alert)
        else:
            found += _changes_of(person, alert, known, told.parts, now)
    opened = {alert_id for alert_id, part in told.parts if part == Part.OPENED}
    # Also what is told now, or waits for the end of quiet hours.
    opened.update(each.alert for each in found if each.part is Part.OPENED)
    for gap in gaps:
        if not _is_told_otherwise(gap, known, opened):
            found += _changes_of(person, gap, known, told.parts, now)
    return found


def subject_of(alert: Alert) -> tuple[str, int | None, int | None]:
    """Return what the changes of a state have in common."""
    return alert.condition, alert.company_id, alert.webhook_id


def _changes_of(
    person: Person,
    alert: Alert,
    known: Known,
    parts: Mapping[tuple[int, str], datetime],
    now: datetime,
) -> list[Change]:
    condition = Condition(alert.condition)
    minutes = timedelta(minutes=person.watches.minutes(condition, alert.company_id))
    opened = parts.get((alert.id, Part.OPENED))
    found: list[tuple[Part, datetime]] = []
    if opened is None:
        begins = max(alert.since + minutes, alert.opened_at)
        # What a gap was is known at its end only.
        until = alert.closed_at or now
        lasted = until - alert.since >= minutes and begins <= now
        is_news = alert.closed_at is None or alert.closed_at > person.told_from
        if not (lasted and is_news and person.wants(condition, alert.company_id)):
            return []
        if condition is Condition.GAP and not _account_is_ready(alert, known, now):
            return []
        found.append((Part.OPENED, begins))
    elif (
        alert.closed_at is None
        and now - opened >= REMINDED_AFTER
        and (alert.id, Part.REMINDED) not in parts
    ):
        found.append((Part.REMINDED, opened + REMINDED_AFTER))
    if alert.closed_at is not None and CONDITIONS[condition].ends:
        told = (alert.id, Part.CLOSED) in parts
        if not told and _account_is_ready(alert, known, now):
            found.append((Part.CLOSED, alert.closed_at))
    subject, urgent = subject_of(alert), condition in URGENT
    return [
        Change(subject, alert.id, part, condition, at.timestamp(), urgent) for part, at in found
    ]


def _account_is_ready(alert: Alert, known: Known, now: datetime) -> bool:
    if alert.condition in GAPS and alert.closed_at is not None:
        since_ms, until_ms = to_ms(alert.since), to_ms(alert.closed_at)
        waits = any(
            since_ms <= last and first <= until_ms
            for first, last in known.recovering.get(alert.company_id or 0, ())
        )
        return not waits or now - alert.closed_at >= RECOVERY_WAIT
    if alert.outage_id is None or alert.outage_id in known.settled or alert.closed_at is None:
        return True
    return now - alert.closed_at >= ACCOUNT_WAIT


def _is_told_otherwise(gap: Alert, known: Known, opened: Collection[int]) -> bool:
    """Return whether a gap is told of by one of these alerts, which lasted at the same time."""
    ended = gap.closed_at
    if ended is None:
        return False
    return any(
        each.since < ended
        and (each.closed_at is None or each.closed_at > gap.since)
        and each.id in opened
        for each in known.lost.get(gap.company_id, ())
    )


def store_planned(
    session: Session, user_id: int, planned: Sequence[Planned], now: datetime
) -> None:
    """Put the messages into the outbox, with what they tell of."""
    for each in planned:
        message = AlertMessage(
            message_id=f"alert_{secrets.token_hex(12)}",
            user_id=user_id,
            kind=each.kind.value,
            created_at=now,
            due_at=now,
        )
        session.add(message)
        session.flush()
        for change in each.changes:
            part = AlertMessagePart(message_id=message.id, alert_id=change.alert)
            part.part, part.changes = change.part.value, each.changing.get(change.subject, 0)
            session.add(part)


def _chunks(ids: Sequence[int]) -> Iterator[Collection[int]]:
    """Yield some ids at a time; others have their turn between two of them."""
    for first in range(0, len(ids), AT_ONCE):
        yield ids[first : first + AT_ONCE]
        # SQLite does not yield, and making rows takes longer than reading them.
        gevent.sleep(0)
