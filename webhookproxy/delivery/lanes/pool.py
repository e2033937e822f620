"""All lanes of this process: one per webhook, fed by the intake, told of every change."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from sqlalchemy import Engine

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import Fence
from webhookproxy.database.store import Store
from webhookproxy.delivery.lanes.lane import Lane
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.outcomes.results import Results
from webhookproxy.logs.console import Console
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

# How long the start waits for results that an earlier ownership left, in seconds.
RESULTS_SECONDS = 5.0


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
        on_fenced: Callable[[Fence], None],
        clock: Callable[[], float] = seconds_now,
        tell: Callable[[int], None] = ignore_change,
    ) -> None:
        self.results = Results(store, on_fenced, tell)
        self._services = LaneServices(
            store, reading, console, policy, resolver, retention_hours, clock, self.results
        )
        self._lanes: dict[int, Lane] = {}
        self._versions: dict[int, int] = {}

    def start(self, fence: Fence, *, continued: Collection[int]) -> None:
        """Begin as the owner with this fence; see Results.start."""
        self.results.start(fence, continued=continued)
        self.results.drain(RESULTS_SECONDS)

    def apply(self, webhooks: Iterable[Webhook], gone: Iterable[int]) -> None:
        """Make the lanes match these webhooks; `gone` are deleted ones."""
        for webhook_id in gone:
            self._remove(webhook_id)
        for webhook in webhooks:
            lane = self._lanes.get(webhook.id)
            if lane is None:
                self._lanes[webhook.id] = Lane(self._services, webhook)
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
            lane = self._lanes.get(due.webhook_id)
            if lane is not None:
                lane.offer(due)

    def lane(self, webhook_id: int) -> Lane | None:
        """Return the lane of a webhook, or None."""
        return self._lanes.get(webhook_id)

    def stop(self, timeout: float) -> bool:
        """Take no more, wait for what is being sent and have the results written.

        At most `timeout` seconds. Returns whether everything ended. What did not is due again,
        with the same id and the same bytes, at the next start.
        """
        until = time.monotonic() + timeout
        for lane in self._lanes.values():
            lane.stop()
        greenlets = self._services.greenlets
        greenlets.join(timeout=timeout)
        ended = not greenlets.greenlets
        greenlets.kill(block=False)
        drained = self.results.drain(max(0.0, until - time.monotonic()))
        self._lanes.clear()
        self._versions.clear()
        return ended and drained

    def _remove(self, webhook_id: int) -> None:
        lane = self._lanes.pop(webhook_id, None)
        self._versions.pop(webhook_id, None)
        if lane is not None:
            lane.stop()
