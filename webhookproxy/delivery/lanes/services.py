"""What all lanes share: greenlets, senders, clocks, the console and the writer of results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import gevent
from gevent.pool import Group
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.delivery.lanes.alarm import Alarm
from webhookproxy.delivery.outcomes.ledger import note_formats
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.results import Results
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.delivery.waiting.backlog import Backlog
from webhookproxy.delivery.waiting.stock import Budget
from webhookproxy.logs.console import Console
from webhookproxy.models.audit import SERVER, Action, record
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.past_formats import read_past_format
from webhookproxy.models.recordings import read_recording_key
from webhookproxy.models.webhooks import Webhook, find_webhook, switch_webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

logger = logging.getLogger(__name__)

# How soon a database that took no writes is asked again to pause a webhook, in seconds.
PAUSE_AGAIN = 0.5


@dataclass(frozen=True)
class LaneServices:
    """Everything that a lane needs and does not own."""

    store: Store
    reading: Engine
    console: Console
    policy: Policy
    resolver: Resolver
    retention_hours: float
    clock: Callable[[], float]
    results: Results
    greenlets: Group = field(default_factory=Group)
    budget: Budget = field(default_factory=Budget)

    def spawn(self, work: Callable[[], None], name: str) -> None:
        """Run a lane's worker in a greenlet; its exceptions are logged."""
        greenlet = self.greenlets.spawn(work)
        greenlet.name = name
        greenlet.link_exception(_log_death)

    def sender(self, webhook: Webhook) -> Sender:
        """Return a sender for a webhook as its row is now."""
        past = partial(read_past_format, self.reading, webhook.id)
        recording_key = partial(read_recording_key, self.reading)
        return Sender(webhook, self.policy, self.resolver, self.clock, past, recording_key)

    def backlog(self, webhook_id: int) -> Backlog:
        """Return the reader of a webhook's deliveries."""
        return Backlog(self.reading, webhook_id)

    def alarm(self, ring: Callable[[], None]) -> Alarm:
        """Return an alarm that calls `ring`."""
        return Alarm(ring)

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def now_ms(self) -> int:
        """Return wall time in milliseconds."""
        return round(self.clock() * 1000)

    def pause(self, webhook_id: int, version: int, reason: DeliveryReason) -> None:
        """Pause a webhook whose receiver answered 410; its lane has stopped already.

        Nothing happens if the webhook was saved since that version: the answer came from the
        address that it had before.
        """
        work = partial(self._pause, webhook_id, version, reason)
        self.spawn(work, f"pause webhook_{webhook_id}")

    def note_formats(self, delivery_ids: list[int], number: int) -> None:
        """Note the format in which deliveries are being sent for the first time.

        A crash would otherwise repeat them in the webhook's newer one. It is done soon, in a
        greenlet of its own.
        """

        def note() -> None:
            try:
                self.store.run(lambda connection: note_formats(connection, delivery_ids, number))
            except (StoreUnavailable, SQLAlchemyError) as error:
                logger.warning("a format was not noted: %s", type(error).__name__)

        if delivery_ids:
            self.spawn(note, "note_formats")

    def report(self, due: Due, outcome: Outcome, next_in: float | None, shown_url: str) -> None:
        """Print an attempt's lines; `next_in`: seconds until the next, None if there is none."""
        if outcome.kind is not Kind.UNSENT:
            self.console.webhook_sent(due.facts.name, shown_url)
        if outcome.kind is Kind.SUCCESS:
            self.console.webhook_succeeded(shown_url)
        else:
            words = DELIVERY_WORDS[outcome.reason].filled(status=outcome.status or "inesperado")
            self.console.webhook_failed(
                due.facts.name,
                shown_url,
                words.what.removesuffix("."),
                next_in,
                refused=outcome.kind in (Kind.REFUSAL, Kind.GONE, Kind.UNSENT),
            )

    def report_simulated(self, due: Due, shown_url: str) -> None:
        """Print that a request would have been sent."""
        self.console.webhook_simulated(due.facts.name, shown_url)

    def _pause(self, webhook_id: int, version: int, reason: DeliveryReason) -> None:
        def job(session: Session) -> None:
            webhook = find_webhook(session, webhook_id)
            if webhook.version != version:
                return
            switch_webhook(session, webhook, WebhookState.PAUSED, reason.value)
            record(
                session,
                SERVER,
                Action.WEBHOOK_PAUSED,
                company_id=webhook.company_id,
                subject=f"webhook_{webhook_id}",
                detail=reason.value,
            )

        while True:
            try:
                self.store.session(job)
            except Refused:
                # Deleted meanwhile.
                return
            except (StoreUnavailable, StaleDataError):
                gevent.sleep(PAUSE_AGAIN)
            else:
                return


def _log_death(greenlet: object) -> None:
    logger.error("a greenlet died: %s", greenlet)
