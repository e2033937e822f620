"""One webhook's lane: who is sent to next, how fast, and what a failure means."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING

from gevent.lock import BoundedSemaphore
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.delivery.lanes.alarm import Alarm
from webhookproxy.delivery.lanes.backlog import Backlog
from webhookproxy.delivery.lanes.probes import Probes
from webhookproxy.delivery.lanes.window import Window
from webhookproxy.delivery.outcomes.ledger import Health, Result
from webhookproxy.delivery.outcomes.retry import EXPIRED, SIMULATED, Circuit, Kind, Verdict, judge
from webhookproxy.delivery.sending.sender import Outcome, Sender
from webhookproxy.models.types import optional_ms
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules.webhooks import WebhookState

if TYPE_CHECKING:
    from webhookproxy.delivery.lanes.pool import Lanes
    from webhookproxy.models.deliveries.tables import Due

logger = logging.getLogger(__name__)

# Results sent but not committed yet, beyond one for each worker: what a crash may repeat.
UNSETTLED_MAX = 64
# How soon a database that gave nothing is asked again, in seconds.
READ_AGAIN = 1.0


class Lane:
    """Sends a webhook's deliveries with greenlets that exist only while there is work."""

    def __init__(self, lanes: Lanes, webhook: Webhook, highest: int) -> None:
        self.webhook_id = webhook.id
        self._lanes = lanes
        self._backlog = Backlog(lanes.reading, webhook.id)
        self._window = Window(self._backlog, strict=webhook.parallelism == 1, highest=highest)
        self._lock = BoundedSemaphore()
        self._circuit = Circuit()
        self._probes = Probes(self._circuit, self._backlog, self._window)
        self._health = Health.stored(webhook.health)
        self._workers = 0
        self._hold_until = 0.0
        self._next_slot = 0.0
        self._alarm = Alarm(self._ring)
        self._stopped = False
        self._restore_circuit()
        self._take_settings(webhook)
        self._backlog.discard_until = webhook.discard_until or 0
        self.kick()

    def configure(self, webhook: Webhook) -> None:
        """Go on with new settings: the circuit closes and what waits is tried at once."""
        old = self._sender
        self._take_settings(webhook)
        old.close()
        self._close_circuit()
        self._hold_until = self._next_slot = 0.0
        with self._lock:
            self._window.ask_reset(forgive=True, strict=webhook.parallelism == 1)
        self.kick()

    def attend(self, asked: list[int]) -> None:
        """Take up what somebody did with deliveries; `asked` are wanted tried now."""
        if asked:
            # Whoever asks knows more than the receiver did at its last Retry-After.
            self._hold_until = 0.0
            self._probes.ask(asked)
        with self._lock:
            self._window.look_again()
        self.kick()

    def discard(self, until: int) -> None:
        """Send nothing up to this number; housekeeping ends it. 0: nothing is to be discarded."""
        raised, self._backlog.discard_until = until > self._backlog.discard_until, until
        if raised:
            with self._lock:
                self._window.look_again()

    def offer(self, due: Due) -> None:
        """Take a delivery that was just committed."""
        if due.id > self._backlog.discard_until:
            self._window.offer(due)
            self.kick()

    def stop(self) -> None:
        """Take no more; what is being sent ends by itself."""
        self._stopped = True
        self._alarm.end()
        self._sender.close()

    def busy(self, delivery_id: int) -> bool:
        """Whether a delivery is in hand."""
        return self._window.busy(delivery_id)

    def age_limit(self) -> int:
        """The `born_ms` before which a delivery is too old, in milliseconds."""
        return self._clock_ms() - self._max_age_ms

    def kick(self) -> None:
        """Start a worker if there may be something to send."""
        room = self._workers < self._parallelism
        if room and not self._stopped and self._may_send() and self._may_have_work():
            self._workers += 1
            self._lanes.spawn(self._work, f"webhook_{self.webhook_id}")

    def _take_settings(self, webhook: Webhook) -> None:
        self._sender: Sender = self._lanes.sender(webhook)
        self._version = webhook.version
        self._state = WebhookState(webhook.state)
        self._parallelism = webhook.parallelism
        self._rate_limit = webhook.rate_limit
        self._max_age_ms = round(min(webhook.max_age, self._lanes.retention_hours) * 3_600_000)
        self._paused_ms = webhook.paused_ms
        self._paused_at = optional_ms(webhook.paused_at)

    def _restore_circuit(self) -> None:
        if self._health.opened_ms is not None:
            wait = (self._health.next_probe_ms or 0) - self._lanes.now_ms()
            self._probes.restore(self._health.failed_probes, wait / 1000, time.monotonic())
            self._alarm.set(self._circuit.next_probe)

    def _close_circuit(self) -> bool:
        self._probes.forget()
        self._health.close_circuit()
        return self._circuit.succeed()

    def _clock_ms(self) -> int:
        """The webhook's own clock: wall time less the time it was paused."""
        return (self._paused_at or self._lanes.now_ms()) - self._paused_ms

    def _may_send(self) -> bool:
        return (
            self._state is not WebhookState.PAUSED
            and self._window.unsettled < self._parallelism + UNSETTLED_MAX
        )

    def _may_have_work(self) -> bool:
        if self._circuit.opened:
            return self._probes.ready(time.monotonic())
        soonest = self._window.soonest()
        return self._window.more() or (soonest is not None and soonest <= time.monotonic())

    def _work(self) -> None:
        try:
            while not self._stopped:
                with self._lock:
                    due, probe = self._take()
                if due is None:
                    break
                self.kick()
                self._deliver(due, probe)
        except SQLAlchemyError as error:
            with self._lock:
                self._read_anew(error)
        finally:
            self._workers -= 1

    def _read_anew(self, error: SQLAlchemyError) -> None:
        """Have everything read again, a second from now: the database gave nothing."""
        logger.warning("webhook_%d waits: %s", self.webhook_id, type(error).__name__)
        self._window.ask_reset(forgive=False)
        self._alarm.set(time.monotonic() + READ_AGAIN)

    def _take(self) -> tuple[Due | None, bool]:
        """The next delivery to send, and whether it is a probe of the open circuit."""
        now = time.monotonic()
        start = max(self._hold_until, self._next_slot)
        if not self._may_send() or self._window.resetting:
            return None, False
        if now < start:
            self._alarm.set(start)
            return None, False
        if self._circuit.opened:
            return self._take_probe(now), True
        due = self._window.next(now, self._lanes.now_ms())
        if due is None:
            if (soonest := self._window.soonest()) is not None:
                self._alarm.set(soonest)
        elif self._rate_limit is not None:
            self._next_slot = now + 1 / self._rate_limit
        return due, False

    def _take_probe(self, now: float) -> Due | None:
        due = self._probes.take(now)
        if due is None and not self._probes.under_way:
            self._alarm.set(self._probes.next_at(now))
        return due

    def _deliver(self, due: Due, probe: bool) -> None:
        if due.born_ms < self.age_limit():
            self._end(due, None, EXPIRED, probe)
        elif self._state is WebhookState.SIMULATED:
            self._lanes.report_simulated(due, self._sender.shown_url)
            self._end(due, None, SIMULATED, probe)
        else:
            sender = self._sender
            self._conclude(due, sender.send(due), probe, sender)

    def _conclude(self, due: Due, outcome: Outcome, probe: bool, sender: Sender) -> None:
        """Say what an attempt means for the delivery, its key and the circuit."""
        others_passed = (
            due.first_attempt_ms is not None
            and (self._health.success_ms or 0) > due.first_attempt_ms
        )
        verdict = judge(
            outcome.kind,
            outcome.reason,
            due.tries,
            probe=probe,
            others_passed=others_passed,
            retry_after=outcome.retry_after,
            random=random.random,
        )
        # Of a webhook saved meanwhile this says nothing: it may point elsewhere now.
        if sender is self._sender and outcome.kind is Kind.SUCCESS:
            self._succeeded()
        elif sender is self._sender:
            self._failed(due, outcome, probe)
        self._lanes.report(due, outcome, self._next_in(verdict), sender.shown_url)
        self._end(due, outcome, verdict, probe)

    def _succeeded(self) -> None:
        self._health.success_ms = self._lanes.now_ms()
        if self._close_circuit():
            logger.info("webhook_%d answers again: sending what waited", self.webhook_id)
            with self._lock:
                self._window.ask_reset(forgive=True)

    def _failed(self, due: Due, outcome: Outcome, probe: bool) -> None:
        now, now_ms = time.monotonic(), self._lanes.now_ms()
        self._health.error = outcome.reason.value
        self._health.error_status = outcome.status
        self._health.error_ms = now_ms
        if outcome.kind is Kind.GONE:
            self._state = WebhookState.PAUSED
            self._paused_at = now_ms
            self._lanes.pause(self.webhook_id, self._version, outcome.reason)
            return
        if probe:
            self._probes.failed(due, now, outcome.retry_after, random.random)
        elif self._circuit.fail(outcome.kind, due.id, strict=self._window.strict):
            logger.warning("webhook_%d keeps failing: probing it from now on", self.webhook_id)
            self._circuit.open(now, outcome.retry_after, random.random)
            self._health.opened_ms = now_ms
            with self._lock:
                self._window.ask_reset(forgive=False)
        elif outcome.retry_after:
            self._hold_until = max(self._hold_until, now + outcome.retry_after)
        if self._circuit.opened:
            self._health.failed_probes = self._circuit.failed_probes
            wait = max(0.0, self._circuit.next_probe - now)
            self._health.next_probe_ms = now_ms + round(wait * 1000)
            self._alarm.set(self._circuit.next_probe)

    def _end(self, due: Due, outcome: Outcome | None, verdict: Verdict, probe: bool) -> None:
        with self._lock:
            try:
                if verdict.delay is None:
                    self._window.release(due, time.monotonic(), self._lanes.now_ms())
                else:
                    self._window.hold(due, time.monotonic() + verdict.delay)
            except SQLAlchemyError as error:
                # The attempt was made: its result is kept, whatever cannot be read after it.
                self._read_anew(error)
        if probe:
            self._probes.under_way = False
        now_ms = self._lanes.now_ms()
        result = Result(due, outcome, verdict, now_ms, probe, self._health, self._settled)
        self._lanes.results.put(result)

    def _settled(self, delivery_id: int) -> None:
        # A row that is being read this moment may be this one, as it was before the commit.
        with self._lock:
            self._window.settle(delivery_id)
        self.kick()

    def _ring(self) -> None:
        self.kick()
        now = time.monotonic()
        at = self._probes.next_at(now) if self._circuit.opened else self._window.soonest()
        if self._workers == 0 and at is not None:
            # Timers count from the hub's last look at the clock, so a busy hub's are early.
            self._alarm.set(max(at, now + 0.05))

    def _next_in(self, verdict: Verdict) -> float | None:
        """Seconds until a delivery is tried again; None if it is not, or somebody has to act."""
        if verdict.delay is None or self._state is WebhookState.PAUSED:
            return None
        wait = self._circuit.next_probe - time.monotonic()
        return max(0.0, wait) if self._circuit.opened else verdict.delay
