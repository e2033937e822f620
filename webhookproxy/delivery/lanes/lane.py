"""One webhook's lane: the workers that send its deliveries, and what they are told."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.delivery.lanes.mailbox import Mailbox
from webhookproxy.delivery.lanes.pace import Pace
from webhookproxy.delivery.lanes.probes import Probes
from webhookproxy.delivery.lanes.receiver_health import ReceiverHealth
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.lanes.settings import LaneSettings
from webhookproxy.delivery.lanes.turns import Turns
from webhookproxy.delivery.outcomes.circuit import Circuit
from webhookproxy.delivery.outcomes.ledger import Health, Result
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import EXPIRED, SIMULATED, Kind, Verdict, judge
from webhookproxy.delivery.waiting.window import Window
from webhookproxy.models.deliveries.tables import Due
from webhookproxy.models.webhooks import Webhook
from webhookproxy.rules.webhooks import WebhookState

logger = logging.getLogger(__name__)

# How soon a database that gave nothing is asked again, in seconds.
READ_AGAIN = 1.0
# A payload of more characters is not kept with the result of its attempt.
LONG = 4096


class Lane:
    """Sends a webhook's deliveries with greenlets that exist only while there is work."""

    def __init__(self, services: LaneServices, webhook: Webhook) -> None:
        self.webhook_id = webhook.id
        self._services = services
        self._settings = LaneSettings(services, webhook)
        self._pace = Pace(webhook.rate_limit)
        self._backlog = services.backlog(webhook.id)
        self._backlog.discard_until = webhook.discard_until or 0
        self._window = Window(self._backlog, services.budget, strict=webhook.parallelism == 1)
        self._mail = Mailbox()
        self._circuit = Circuit()
        self._probes = Probes(self._circuit, self._backlog, self._window)
        self._turns = Turns(services, self._window, self._circuit, self._probes)
        self._health = ReceiverHealth(
            services, self._circuit, self._probes, Health.stored(webhook.health)
        )
        self._workers = 0
        self._alarm = services.alarm(self._ring)
        self._stopped = False
        if self._circuit.opened:
            self._alarm.set(self._circuit.next_probe)
        self.kick()

    def configure(self, webhook: Webhook) -> None:
        """Go on with new settings: the circuit closes and what waits is tried at once."""
        old, self._settings = self._settings, LaneSettings(self._services, webhook)
        if self._settings.format_number != old.format_number:
            self._services.note_formats(self._window.in_hand.all(), old.format_number)
        old.sender.close()
        self._pace = Pace(webhook.rate_limit)
        self._health.close()
        strict = webhook.parallelism == 1
        self._mail.post(partial(self._window.ask_reset, forgive=True, strict=strict))
        self.kick()

    def attend(self, asked: list[int]) -> None:
        """Follow what users did with deliveries; try those of `asked` now."""
        if asked:
            # The user knows more now than the receiver did at its last Retry-After.
            self._pace.release()
            self._probes.ask(asked)
        self._mail.post(self._window.look_again)
        self.kick()

    def discard(self, until: int) -> None:
        """Send nothing up to this number; housekeeping ends it. 0: nothing is to be discarded."""
        raised, self._backlog.discard_until = until > self._backlog.discard_until, until
        if raised:
            self._mail.post(self._window.look_again)

    def offer(self, due: Due) -> None:
        """Take a delivery that was just committed."""
        if due.id > self._backlog.discard_until:
            self._window.offer(due)
            self.kick()

    def stop(self) -> None:
        """Take no more; what is being sent ends by itself."""
        self._stopped = True
        self._alarm.end()
        self._settings.sender.close()
        self._window.stock.close()

    def busy(self, delivery_id: int) -> bool:
        """Return whether a delivery is in hand."""
        return self._window.in_hand.busy(delivery_id)

    def age_limit(self) -> int:
        """Return the `born_ms` before which a delivery is too old, in milliseconds."""
        return self._settings.age_limit(self._services.now_ms())

    def kick(self) -> None:
        """Start a worker if there may be something to send."""
        room = self._workers < self._settings.parallelism
        if room and not self._stopped and self._turns.may_come(self._settings):
            self._workers += 1
            self._services.spawn(self._work, f"webhook_{self.webhook_id}")

    def _work(self) -> None:
        try:
            while not self._stopped:
                with self._mail.reading() as news:
                    turn = self._turns.take(self._settings, self._pace)
                if turn.look_at is not None:
                    self._alarm.set(turn.look_at)
                if turn.due is not None:
                    self.kick()
                    self._deliver(turn.due, turn.probe)
                elif not news:
                    break
        except SQLAlchemyError as error:
            logger.warning("webhook_%d waits: %s", self.webhook_id, type(error).__name__)
            self._mail.post(partial(self._window.ask_reset, forgive=False))
            self._alarm.set(self._services.now() + READ_AGAIN)
        finally:
            self._workers -= 1

    def _deliver(self, due: Due, probe: bool) -> None:
        """Send a delivery, and say what the answer means for it, its key and the circuit."""
        settings, outcome = self._settings, None
        if due.born_ms < self.age_limit():
            verdict = EXPIRED
        elif settings.state is WebhookState.SIMULATED:
            self._services.report_simulated(due, settings.sender.shown_url)
            verdict = SIMULATED
        else:
            began, others_passed = self._services.now(), self._health.others_passed(due)
            outcome = settings.sender.send(due)
            verdict = judge(
                outcome.kind,
                outcome.reason,
                due.tries,
                probe=probe,
                others_passed=others_passed,
                retry_after=outcome.retry_after,
                random=random.random,
            )
            # An answer to a webhook that was saved meanwhile says nothing of it as it is now.
            if settings is self._settings and outcome.kind is not Kind.UNSENT:
                self._learn(due, outcome, probe, began)
            next_in = None if self._settings.paused else self._health.next_in(verdict)
            self._services.report(due, outcome, next_in, settings.sender.shown_url)
        is_unsent = outcome is not None and outcome.kind is Kind.UNSENT
        self._end(due, None if is_unsent else outcome, verdict, probe)

    def _learn(self, due: Due, outcome: Outcome, probe: bool, began: float) -> None:
        """Go faster, slower, by probes or not at all, as the receiver's answer says."""
        if outcome.kind is Kind.SUCCESS:
            self._pace.speed_up()
            closed = self._health.succeeded(due, probe=probe)
            read = partial(self._window.ask_reset, forgive=True)
            self._mail.post(read if closed else self._window.keys.retries.pardon)
            return
        now = self._services.now()
        self._health.note_error(due, outcome)
        if outcome.kind is Kind.GONE:
            self._settings.pause(self._services.now_ms())
            self._services.pause(self.webhook_id, self._settings.version, outcome.reason)
            return
        if outcome.kind is Kind.BUSY:
            self._pace.slow_down(now, began)
        strict = self._window.keys.strict
        if self._health.failed(due, outcome, probe=probe, strict=strict):
            self._mail.post(partial(self._window.ask_reset, forgive=False))
        elif outcome.retry_after and not probe:
            self._pace.hold(now + outcome.retry_after)
        if self._circuit.opened:
            self._alarm.set(self._circuit.next_probe)

    def _end(self, due: Due, outcome: Outcome | None, verdict: Verdict, probe: bool) -> None:
        now, now_ms = self._services.now(), self._services.now_ms()
        if verdict.delay is None:
            self._mail.post(partial(self._window.release, due, now, now_ms))
        else:
            at = now + verdict.delay
            self._mail.post(partial(self._window.hold, due, at, kept=verdict.kept))
        if probe:
            self._probes.under_way = False
        if len(due.facts.payload) > LONG:
            # Results may wait for a database that takes no writes; the payload need not.
            due = replace(due, facts=replace(due.facts, payload=""))
        result = Result(due, outcome, verdict, now_ms, probe, self._health.row, self._settled)
        self._services.results.put(result)

    def _settled(self, delivery_id: int) -> None:
        # A row that is being read this moment may be this one, as it was before the commit.
        self._mail.post(partial(self._window.settle, delivery_id))
        self.kick()

    def _ring(self) -> None:
        self.kick()
        at = self._turns.next_at()
        if self._workers == 0 and at is not None:
            # Timers count from the hub's last look at the clock, so a busy hub's are early.
            self._alarm.set(max(at, self._services.now() + 0.05))
