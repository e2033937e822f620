"""All lanes of this process: one per webhook, fed by the intake, told of every change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import gevent
from gevent.pool import Group
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.delivery.lanes.backlog import Backlog
from webhookproxy.delivery.lanes.lane import Lane
from webhookproxy.delivery.outcomes.results import Results
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.sender import Outcome, Sender
from webhookproxy.logs.console import Console
from webhookproxy.models.audit import SERVER, Action, record
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook, find_webhook, switch_webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import DELIVERY_WORDS, DeliveryReason
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

logger = logging.getLogger(__name__)

# How long the start waits for results that an earlier ownership left.
RESULTS_SECONDS = 5.0
# How soon a database that took no writes is asked again to pause a webhook.
PAUSE_AGAIN = 0.5


class Lanes:
    """Owns the lanes and what they share."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        console: Console,
        policy: Policy,
        resolver: Resolver,
        retention_hours: float,
        on_fenced: Callable[[int], None],
        clock: Callable[[], float] = time.time,
        tell: Callable[[int], None] = ignore_change,
    ) -> None:
        self.reading = reading
        self.retention_hours = retention_hours
        self.results = Results(store, on_fenced, tell)
        self._store = store
        self._console = console
        self._policy = policy
        self._resolver = resolver
        self._clock = clock
        self._lanes: dict[int, Lane] = {}
        self._versions: dict[int, int] = {}
        self._greenlets = Group()
        self._highest = 0

    def start(self, fence: int, *, continued: bool) -> None:
        """Begin as the owner with this fence; see Results.start."""
        self.results.start(fence, continued=continued)
        self.results.drain(RESULTS_SECONDS)
        self._highest = Backlog(self.reading, 0).highest()

    def apply(self, webhooks: Iterable[Webhook], gone: Iterable[int]) -> None:
        """Make the lanes match these webhooks; `gone` are deleted ones."""
        for webhook_id in gone:
            self._remove(webhook_id)
        for webhook in webhooks:
            lane = self._lanes.get(webhook.id)
            if lane is None:
                self._lanes[webhook.id] = Lane(self, webhook, self._highest)
            else:
                # First of all: a lane that is resumed must not send what is to be discarded.
                lane.discard(webhook.discard_until or 0)
                if self._versions[webhook.id] != webhook.version:
                    lane.configure(webhook)
            self._versions[webhook.id] = webhook.version

    def attend(self, acts: Mapping[int, list[int]]) -> None:
        """Take up what people did with deliveries of these webhooks; see Lane.attend."""
        for webhook_id, asked in acts.items():
            if (lane := self._lanes.get(webhook_id)) is not None:
                lane.attend(asked)

    def offer(self, dues: Iterable[Due]) -> None:
        """Hand over deliveries that were just committed, in the order of their numbers."""
        for due in dues:
            self._highest = due.id
            lane = self._lanes.get(due.webhook_id)
            if lane is not None:
                lane.offer(due)

    def lane(self, webhook_id: int) -> Lane | None:
        """The lane of a webhook, if there is one."""
        return self._lanes.get(webhook_id)

    def stop(self, timeout: float) -> bool:
        """Take no more, wait for what is being sent and have the results written.

        At most `timeout` seconds; whether everything ended. What did not is due again, with the
        same id and the same bytes, at the next start.
        """
        until = time.monotonic() + timeout
        for lane in self._lanes.values():
            lane.stop()
        self._greenlets.join(timeout=timeout)
        ended = not self._greenlets.greenlets
        self._greenlets.kill(block=False)
        drained = self.results.drain(max(0.0, until - time.monotonic()))
        self._lanes.clear()
        self._versions.clear()
        return ended and drained

    def spawn(self, work: Callable[[], None], name: str) -> None:
        """Run a lane's worker; its exceptions are logged."""
        greenlet = self._greenlets.spawn(work)
        greenlet.name = name
        greenlet.link_exception(_log_death)

    def sender(self, webhook: Webhook) -> Sender:
        """A sender for a webhook as its row is now."""
        return Sender(webhook, self._policy, self._resolver, self._clock)

    def now_ms(self) -> int:
        """Wall time in milliseconds."""
        return round(self._clock() * 1000)

    def pause(self, webhook_id: int, version: int, reason: DeliveryReason) -> None:
        """Have a webhook paused whose receiver answered 410; its lane has stopped already.

        Nothing happens if somebody saved the webhook since that version: the answer was to what
        it was before.
        """
        work = partial(self._pause, webhook_id, version, reason)
        self.spawn(work, f"pause webhook_{webhook_id}")

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
                self._store.session(job)
            except Refused:
                # Deleted meanwhile.
                return
            except (StoreUnavailable, StaleDataError):
                gevent.sleep(PAUSE_AGAIN)
            else:
                return

    def report(self, due: Due, outcome: Outcome, next_in: float | None, shown_url: str) -> None:
        """Print an attempt's lines; `next_in`: seconds until the next, None if there is none."""
        self._console.webhook_sent(due.facts.name, shown_url)
        if outcome.kind is Kind.SUCCESS:
            self._console.webhook_succeeded(shown_url)
        else:
            words = DELIVERY_WORDS[outcome.reason].english.removesuffix(".")
            if outcome.status is not None:
                words = f"{words} (HTTP {outcome.status})"
            self._console.webhook_failed(due.facts.name, shown_url, words, next_in)

    def report_simulated(self, due: Due, shown_url: str) -> None:
        """Print that one would have been sent."""
        self._console.webhook_simulated(due.facts.name, shown_url)

    def _remove(self, webhook_id: int) -> None:
        lane = self._lanes.pop(webhook_id, None)
        self._versions.pop(webhook_id, None)
        if lane is not None:
            lane.stop()


def _log_death(greenlet: object) -> None:
    logger.error("a greenlet died: %s", greenlet)
