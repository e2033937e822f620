"""The morning line: what came and went yesterday, for those who asked for it.

A morning without it says that something is wrong with this program.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.people import ZONE, Person
from webhookproxy.models import (
    Alert,
    AlertMessage,
    Company,
    Connection,
    HourlyDeliveries,
    HourlyEvents,
    Webhook,
)
from webhookproxy.models.alerts.messages import MessageKind
from webhookproxy.models.types import day_number
from webhookproxy.reasons import DeliveryState
from webhookproxy.reasons.words import plural

# In Brasília.
MORNING = time(8)
_HOUR_SECONDS = 3_600
_ENDS = (DeliveryState.DELIVERED, DeliveryState.REFUSED, DeliveryState.EXPIRED)


def is_due(person: Person, now: datetime) -> bool:
    """Return whether a person is to get the morning line now, once a day."""
    local = now.astimezone(ZONE)
    begins = datetime.combine(local.date(), MORNING, ZONE)
    return (
        person.morning_line
        and local >= begins
        # Who asks for it in the afternoon gets the first one tomorrow.
        and person.told_from < begins
        and person.morning_day != day_of(now)
        and not person.is_quiet(now)
    )


def day_of(now: datetime) -> int:
    """Return the number of the day in Brasília since 1970."""
    return day_number(now.astimezone(ZONE).date())


def morning_message(session: Session, person: Person, now: datetime) -> AlertMessage:
    """Return the message with the figures of yesterday, of the companies that the person sees."""
    today = datetime.combine(now.astimezone(ZONE).date(), time(), ZONE)
    first, last = (
        int(each.timestamp()) // _HOUR_SECONDS for each in (today - timedelta(days=1), today)
    )
    companies = _companies(session, person)
    events = session.scalar(
        select(func.sum(HourlyEvents.count)).where(
            HourlyEvents.company_id.in_(companies),
            HourlyEvents.hour >= first,
            HourlyEvents.hour < last,
        )
    )
    ended = _ended(session, companies, first, last)
    delivered, refused, expired = (ended.get(each.value, 0) for each in _ENDS)
    texts = [
        plural(int(events or 0), "evento", "eventos"),
        plural(delivered, "entrega", "entregas"),
        plural(refused, "recusada", "recusadas"),
    ]
    if expired:
        texts.append(plural(expired, "expirada", "expiradas"))
    line = f"Ontem: {', '.join(texts)}; {_state(session, companies)}."
    return AlertMessage(
        message_id=f"morning_{person.id}_{day_of(now)}",
        user_id=person.id,
        kind=MessageKind.MORNING.value,
        subject=line,
        body=line,
        created_at=now,
        due_at=now,
        attempts=0,
    )


def _companies(session: Session, person: Person) -> Sequence[int]:
    query = select(Company.id).where(Company.deleted_at.is_(None)).order_by(Company.id)
    return [each for each in session.scalars(query) if person.may_see(each)]


def _ended(session: Session, companies: Sequence[int], first: int, last: int) -> dict[str, int]:
    webhooks = select(Webhook.id).where(Webhook.company_id.in_(companies))
    query = (
        select(HourlyDeliveries.outcome, func.sum(HourlyDeliveries.count))
        .where(
            HourlyDeliveries.webhook_id.in_(webhooks),
            HourlyDeliveries.hour >= first,
            HourlyDeliveries.hour < last,
        )
        .group_by(HourlyDeliveries.outcome)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def _state(session: Session, companies: Sequence[int]) -> str:
    """Return what is wrong at the moment, in a few words."""
    lost = session.scalar(
        select(func.count())
        .select_from(Connection)
        .join(Company, Company.id == Connection.company_id)
        .where(Company.id.in_(companies), Company.should_connect, Connection.state != "connected")
    )
    webhooks = session.scalar(
        select(func.count(Alert.webhook_id.distinct())).where(
            Alert.company_id.in_(companies), Alert.closed_at.is_(None)
        )
    )
    connected = "tudo conectado"
    if lost:
        connected = plural(lost, "empresa sem conexão", "empresas sem conexão")
    if webhooks:
        connected += f", {plural(webhooks, 'webhook com problema', 'webhooks com problema')}"
    return connected
