"""The events, the result of each, and the counters of 24 hours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bench.showcase.failures import OK, STORIES, Story, Try
from webhookproxy.events import contract, payload
from webhookproxy.models import (
    Attempt,
    Company,
    Delivery,
    Event,
    HourlyDeliveries,
    HourlyEvents,
    MinuteCount,
    Webhook,
)
from webhookproxy.models.deliveries.tables import FAILED_ATTEMPT
from webhookproxy.models.installation import numbers
from webhookproxy.reasons import ACCEPTING, DeliveryReason, DeliveryState, EventNote
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.simulator.world import World

# How busy a call centre is, by hours before now; it is ten in the morning.
_DAY = (0.7, 1.0, 0.8, 0.3, 0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.3, 0.5, 0.8, 1, 0.9, 1, 0.6, 0.9, 1)
_BUSY = 4_100
_SHARE_REFUSED = 0.012
# How many of a hundred events have each name; the last name is new, and not in the catalogue.
_NAMES = {
    "call-was-created": 24,
    "call-history-was-created": 22,
    "call-was-not-answered": 17,
    "call-is-trying": 13,
    "agent-is-idle": 8,
    "call-was-connected": 8,
    "call-was-finished": 6,
    "new-message-whatsapp": 2,
}
_NEW_NAME = "call-transcription-was-created"


@dataclass(slots=True)
class Happened:
    """An event that came, and its story at each webhook."""

    company: Company
    name: str
    payload: str
    received_ms: int
    stories: list[Story] = field(default_factory=list)


class Traffic:
    """Fills the tables that grow with the traffic."""

    def __init__(
        self, session: Session, companies: dict[str, Company], webhooks: dict[str, Webhook]
    ) -> None:
        self._session = session
        self._companies = {company.id: company for company in companies.values()}
        self._webhooks = webhooks
        self._now_ms = round(time.time() * 1000)
        # As the owner of the sockets numbers them.
        self._event_ids = numbers.following(numbers.floor(self._now_ms - 86_400_000, 0))
        self._ids = numbers.following(numbers.floor(self._now_ms, 0))
        # The same traffic in every run.
        self._random = Random(3)

    def fill(self) -> None:
        """Write everything, in the order of arrival."""
        for happened in sorted(self._happened(), key=lambda each: each.received_ms):
            self._store(happened)
        for company in self._companies.values():
            self._count_hours(company)

    def _happened(self) -> Iterator[Happened]:
        for story in STORIES:
            company = self._companies[self._webhooks[story.webhook].company_id]
            yield Happened(
                company,
                story.event,
                self._payload(company, story),
                self._now_ms - round(story.minutes_ago * 60_000),
                [story],
            )
        for company in self._companies.values():
            if company.connection.last_event_at is not None:
                yield from self._ordinary(company)

    def _ordinary(self, company: Company) -> Iterator[Happened]:
        """Return forty usual events; the last one is the company's newest."""
        assert company.connection.last_event_at is not None
        at = round(company.connection.last_event_at.timestamp() * 1000)
        world = World(Random(company.id), agents=8)
        for number in reversed(range(40)):
            emission = world.next_event()
            yield Happened(company, emission.name, emission.payload, at - number * 9_700)

    def _payload(self, company: Company, story: Story) -> str:
        # Every story has its own call.
        world = World(Random(f"{company.id} {story}"), agents=8)
        return world.event(story.event, world.new_call()).payload

    def _store(self, happened: Happened) -> None:
        event_id = next(self._event_ids)
        read = payload.read(f'["{happened.name}",{happened.payload}]', hide_credentials=True)
        told = {story.webhook for story in happened.stories}
        usual = [story for story in self._usual(happened) if story.webhook not in told]
        stories = happened.stories + usual
        self._session.add(
            Event(
                id=event_id,
                public_id=contract.new_event_id(happened.received_ms),
                company_id=happened.company.id,
                name=read.name,
                payload=read.payload,
                order_key=read.order_key,
                socket_id="5kQv0xJ2mTq8YtLrAAZD",
                token_mask=contract.token_mask(happened.company.token),
                received_ms=happened.received_ms,
                hidden=read.hidden,
                note=None if stories else EventNote.UNWANTED.value,
            )
        )
        for story in stories:
            self._deliver(event_id, read.order_key, happened.received_ms, story)

    def _usual(self, happened: Happened) -> Iterator[Story]:
        """Return the usual story of an event: every webhook that asks for it accepts it."""
        for webhook in self._webhooks.values():
            wants = webhook.events is None or happened.name in webhook.events
            if webhook.company_id != happened.company.id or not wants:
                continue
            usual = (webhook.name, happened.name, 0.0)
            if webhook.state == WebhookState.SIMULATED:
                yield Story(*usual, DeliveryState.SIMULATED, DeliveryReason.SIMULATION)
            elif webhook.paused_at is not None or webhook.health.circuit_opened_at is not None:
                # The rows do not say what holds the webhook.
                yield Story(*usual, DeliveryState.QUEUED, DeliveryReason.WAITING_TURN)
            else:
                took = self._random.randint(38, 240)
                done = Try(0.02, took, DeliveryReason.ACCEPTED, 200, OK)
                yield Story(*usual, DeliveryState.DELIVERED, DeliveryReason.ACCEPTED, (done,))

    def _deliver(self, event_id: int, order_key: str, received_ms: int, story: Story) -> None:
        delivery_id, webhook = next(self._ids), self._webhooks[story.webhook]
        ended = story.state not in (DeliveryState.QUEUED, DeliveryState.RETRYING)
        last = story.tries[-1] if story.tries else None
        ended_ms = received_ms + (round(last.after * 1000) + last.took_ms if last else 900)
        self._session.add(
            Delivery(
                id=delivery_id,
                event_id=event_id,
                webhook_id=webhook.id,
                order_key=order_key,
                state=story.state.value,
                reason=story.reason.value,
                tries=sum(not each.probe for each in story.tries),
                attempts=len(story.tries),
                born_ms=received_ms,
                first_attempt_ms=received_ms if story.tries else None,
                due_ms=None if story.due is None else self._now_ms + story.due * 1000,
                ended_ms=ended_ms if ended else None,
                status=last.status if last else None,
            )
        )
        for number, each in enumerate(story.tries, 1):
            self._session.add(_attempt(delivery_id, webhook.id, number, received_ms, each))
            if each.reason == webhook.health.last_error:
                webhook.health.failed_delivery_id = delivery_id
        _count(webhook, story.state, 1)

    def _count_hours(self, company: Company) -> None:
        """Write the counters of two days; a failing webhook fails since its first failure."""
        hour = self._now_ms // 3_600_000
        size = _BUSY * (company.connection.events / 904_118) ** 0.5
        silent = company.connection.last_event_at is None or self._quiet_hours(company)
        for back, busy in enumerate(_DAY):
            events = round(size * busy * self._random.uniform(0.85, 1.1))
            if not events or back < silent:
                continue
            self._count_names(company, hour - back, events)
            row = {"company_id": company.id, "hour": hour - back, "count": 1 + events // 90}
            self._session.execute(insert(HourlyEvents).values(name=_NEW_NAME, **row))
            for webhook in self._webhooks.values():
                if webhook.company_id == company.id:
                    self._count_deliveries(webhook, hour - back, back, events)
        if not silent:
            self._count_minutes(company, size)
        # Events came at this hour in earlier weeks too, so silence now is unusual.
        for week, back in product(range(1, 9), range(-1, 5)):
            self._count_names(company, hour - week * 168 - back, round(size))

    def _count_minutes(self, company: Company, hourly: float) -> None:
        """Write the counters of the last hour by the minute; some minutes fail."""
        now = self._now_ms // 60_000
        hooks = [each for each in self._webhooks.values() if each.company_id == company.id]
        for minute in range(now - 60, now + 1):
            count = round(hourly / 60 * self._random.uniform(0.5, 1.3))
            rows = [(company.id, "events", 0, count)]
            rows += [
                (hook.id, "delivered", self._random.choice((6, 7, 9)), count) for hook in hooks
            ]
            if minute % 9 == 0:
                rows += [(hook.id, FAILED_ATTEMPT, 0, count // 8) for hook in hooks]
            self._session.add_all(
                MinuteCount(owner_id=owner, series=series, minute=minute, bucket=of, count=many)
                for owner, series, of, many in rows
                if many
            )

    def _count_names(self, company: Company, hour: int, events: int) -> None:
        for name, share in _NAMES.items():
            if many := events * share // 100:
                row = {"company_id": company.id, "hour": hour, "count": many}
                self._session.execute(insert(HourlyEvents).values(name=name, **row))

    def _quiet_hours(self, company: Company) -> int:
        assert company.connection.last_event_at is not None
        quiet_ms = self._now_ms - company.connection.last_event_at.timestamp() * 1000
        return round(quiet_ms / 3_600_000)

    def _count_deliveries(self, webhook: Webhook, hour: int, back: int, events: int) -> None:
        wanted = events if webhook.events is None else events // 5
        if webhook.state == WebhookState.SIMULATED:
            self._add_hour(webhook, hour, DeliveryState.SIMULATED, 0, wanted)
            return
        stuck = webhook.health.circuit_opened_at is not None or webhook.paused_at is not None
        if stuck and back < 1:
            webhook.health.created += wanted // 2
            return
        refused = round(wanted * _SHARE_REFUSED * (back % 3))
        for bucket, share in ((6, 0.4), (7, 0.35), (8, 0.18), (10, 0.06)):
            rows = round((wanted - refused) * share)
            self._add_hour(webhook, hour, DeliveryState.DELIVERED, bucket, rows)
        self._add_hour(webhook, hour, DeliveryState.REFUSED, 12, refused)
        if refused:
            # A refusal is tried three times.
            self._add(webhook, hour, FAILED_ATTEMPT, 0, 3 * refused)

    def _add_hour(
        self, webhook: Webhook, hour: int, state: DeliveryState, bucket: int, rows: int
    ) -> None:
        if not rows:
            return
        self._add(webhook, hour, state.value, bucket, rows)
        _count(webhook, state, rows)

    def _add(self, webhook: Webhook, hour: int, outcome: str, bucket: int, rows: int) -> None:
        given: dict[str, Any] = {"webhook_id": webhook.id, "hour": hour, "outcome": outcome}
        statement = insert(HourlyDeliveries).values(bucket=bucket, count=rows, **given)
        self._session.execute(statement)


def _count(webhook: Webhook, state: DeliveryState, rows: int) -> None:
    webhook.health.created += rows
    if state not in (DeliveryState.QUEUED, DeliveryState.RETRYING):
        setattr(webhook.health, state.value, getattr(webhook.health, state.value) + rows)


def _headers(delivery_id: int, made: Try) -> str | None:
    """Return the headers of the answer to an attempt that failed."""
    if made.status is None or made.reason in ACCEPTING:
        return None
    lines = ("server: nginx", "content-type: application/json", f"x-request-id: {delivery_id:08x}")
    return "\n".join((*lines, "set-cookie: …"))


def _attempt(
    delivery_id: int, webhook_id: int, number: int, received_ms: int, made: Try
) -> Attempt:
    return Attempt(
        delivery_id=delivery_id,
        number=number,
        started_ms=received_ms + round(made.after * 1000),
        duration_ms=made.took_ms,
        status=made.status,
        reason=made.reason.value,
        detail=None,
        answer=made.answer,
        answer_headers=_headers(delivery_id, made),
        probe=made.probe,
        webhook_id=webhook_id,
    )
