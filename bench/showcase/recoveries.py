"""What was asked of 3C Plus: calls of gaps, a day that was compared, a second socket, a new token,
and the links to recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.showcase.companies import CLINIC, COLLECTOR
from bench.showcase.people import EMAIL
from bench.showcase.webhooks import BITRIX, HUBSPOT, N8N, PHP
from webhookproxy.events.call_facts import CallFacts
from webhookproxy.events.recovery.comparison import AtWebhook, Call, Compared, Lacking
from webhookproxy.models import (
    Company,
    Delivery,
    Event,
    Gap,
    NextToken,
    RecordingLink,
    Recovery,
    SecondSocket,
    Webhook,
)
from webhookproxy.models.recordings import DAY_MS
from webhookproxy.models.recovery.comparisons import (
    ComparisonState,
    DayComparison,
    day_bounds,
    yesterday,
)
from webhookproxy.models.recovery.recoveries import SWEEP_OVER_MS, RecoveryState
from webhookproxy.models.types import day_number, to_ms
from webhookproxy.reasons import ConnectionReason, DeliveryState, SecondSocketState

_HISTORY = "call-history-was-created"
_TELECOM = "Telecom Serra Azul"
_MINUTE_MS = 60_000
# How many calls of a gap came back, from the oldest gap to the newest.
_BACK = (0, 6, 37)
_LISTED = 1_204
# Hours of yesterday, telephone, agent: the calls that did not arrive.
_MISSING = ((11.4, "81990124471", "Jéssica"), (16.1, "81988035120", "Renan"))
# The calls of yesterday at each webhook of the clinic.
_FATES = {
    N8N: {"delivered": 311, "kept_back": 891},
    BITRIX: {"delivered": 1_201, "waiting": 1},
    HUBSPOT: {"delivered": 1_202},
    PHP: {"delivered": 1_201, "failed": 1},
}


def fill(session: Session, companies: dict[str, Company], webhooks: dict[str, Webhook]) -> None:
    """Write it for the companies that have it."""
    now = datetime.now(UTC)
    clinic = companies[CLINIC]
    clinic.sweep_calls = clinic.recording_links = True
    histories = session.scalars(
        select(Event)
        .where(Event.company_id == clinic.id, Event.name == _HISTORY)
        .order_by(Event.id)
    ).all()
    _recover(session, clinic.id, to_ms(now))
    _compare(session, clinic.id, webhooks)
    _link(session, clinic, histories, to_ms(now))
    _observe(session, companies[COLLECTOR], now)
    session.add(
        NextToken(
            company_id=companies[_TELECOM].id,
            token="3cs_9mWx2LrT7bVq0ZfYc5HdKe8u",
            expires_at=now + timedelta(days=365),
            laid_at=now - timedelta(hours=3),
            tried_at=now - timedelta(hours=3),
            answer=ConnectionReason.ACCEPTED.value,
            role="gestor",
            organisation=companies[_TELECOM].threec_id,
        )
    )


def _recover(session: Session, company_id: int, now_ms: int) -> None:
    gaps = session.scalars(
        select(Gap).where(Gap.company_id == company_id).order_by(Gap.started_at)
    ).all()
    for gap, recovered in zip(gaps, _BACK, strict=True):
        assert gap.ended_at is not None
        since_ms, until_ms = to_ms(gap.started_at), to_ms(gap.ended_at)
        session.add(
            _recovery(
                company_id,
                since_ms - 15 * _MINUTE_MS,
                until_ms + 5 * _MINUTE_MS,
                until_ms + 15 * _MINUTE_MS,
                gap_id=gap.id,
                recovered=recovered,
            )
        )
    swept_ms = now_ms - 19 * _MINUTE_MS
    session.add(
        _recovery(company_id, swept_ms - SWEEP_OVER_MS, swept_ms, swept_ms, sweep=True, listed=412)
    )
    counted = _recovery(company_id, now_ms - 7 * DAY_MS, now_ms, now_ms - _MINUTE_MS)
    counted.asked_by, counted.state = EMAIL, RecoveryState.COUNTED.value
    counted.listed, counted.missing = 6_318, 2
    session.add(counted)


def _recovery(
    company_id: int, since_ms: int, until_ms: int, ended_ms: int, **given: Any
) -> Recovery:
    return Recovery(
        company_id=company_id,
        asked_ms=ended_ms - _MINUTE_MS,
        since_ms=since_ms,
        until_ms=until_ms,
        state=RecoveryState.FINISHED.value,
        next_ms=ended_ms,
        ended_ms=ended_ms,
        **given,
    )


def _compare(session: Session, company_id: int, webhooks: dict[str, Webhook]) -> None:
    """Write a comparison of yesterday; the calls that a webhook lacks are some that failed."""
    day = yesterday()
    begins, ends = day_bounds(day)
    found = Compared(listed=_LISTED, here=_LISTED - len(_MISSING))
    found.missing = [
        Call(f"65f0c4{number}e", begins + round(hours * 3_600_000), CallFacts(phone, agent))
        for number, (hours, phone, agent) in enumerate(_MISSING)
    ]
    found.webhooks = [
        AtWebhook(webhooks[name].id, dict(fates), _lacking(session, webhooks[name], begins, ends))
        for name, fates in _FATES.items()
    ]
    session.add(
        DayComparison(
            company_id=company_id,
            day=day_number(day),
            asked_by=EMAIL,
            asked_ms=ends + 8 * 60 * _MINUTE_MS,
            since_ms=begins,
            until_ms=ends,
            state=ComparisonState.FINISHED.value,
            next_ms=ends,
            listed=_LISTED,
            ended_ms=ends + 8 * 60 * _MINUTE_MS + 35_000,
            result=found.to_json(),
        )
    )


def _lacking(session: Session, webhook: Webhook, begins: int, ends: int) -> list[Lacking]:
    query = (
        select(Delivery.event_id, Delivery.id)
        .join(Event, Event.id == Delivery.event_id)
        .where(Delivery.webhook_id == webhook.id, Event.name == _HISTORY)
        .where(Delivery.state.in_((DeliveryState.REFUSED.value, DeliveryState.QUEUED.value)))
        .where(Event.received_ms.between(begins, ends))
    )
    return [Lacking(*row) for row in session.execute(query)]


def _link(session: Session, company: Company, events: Sequence[Event], now_ms: int) -> None:
    for event in events:
        event.recording_base = "https://relay.empresa.example"
        session.add(
            RecordingLink(
                token_hash=f"{event.id:064x}",
                company_id=company.id,
                event_id=event.id,
                history_id=f"{event.id:x}",
                made_ms=event.received_ms,
                expires_ms=now_ms + company.recording_days * DAY_MS,
            )
        )


def _observe(session: Session, company: Company, now: datetime) -> None:
    company.observe_second = True
    session.add(
        SecondSocket(
            company_id=company.id,
            began_at=now - timedelta(days=1, hours=2),
            counted_at=now,
            state=SecondSocketState.OBSERVING.value,
            joins=1,
            paired=24_310,
        )
    )
