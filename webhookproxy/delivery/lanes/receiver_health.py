"""What a receiver's answers say of the receiver: its circuit, and what the pages show of it."""

from __future__ import annotations

import logging
import random

from webhookproxy.delivery.lanes.probes import Probes
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.outcomes.circuit import Circuit
from webhookproxy.delivery.outcomes.ledger import Health
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind, Verdict
from webhookproxy.models.deliveries.tables import Due

logger = logging.getLogger(__name__)


class ReceiverHealth:
    """How the receiver of one webhook is doing, counted from its answers."""

    def __init__(
        self, services: LaneServices, circuit: Circuit, probes: Probes, health: Health
    ) -> None:
        self.row = health
        self._services = services
        self._circuit = circuit
        self._probes = probes
        if health.opened_ms is not None:
            wait = (health.next_probe_ms or 0) - services.now_ms()
            probes.restore(health.failed_probes, wait / 1000, services.now())

    def close(self) -> None:
        """Close the circuit: the webhook was saved."""
        self._close(first=False)

    def others_passed(self, due: Due) -> bool:
        """Return whether another event was accepted after this one's first try."""
        first = due.first_attempt_ms
        return first is not None and (self.row.success_ms or 0) > first

    def next_in(self, verdict: Verdict) -> float | None:
        """Return the seconds until a delivery is tried again, None if it is not."""
        if verdict.delay is not None and self._circuit.opened:
            return max(0.0, self._circuit.next_probe - self._services.now())
        return verdict.delay

    def succeeded(self, due: Due, *, probe: bool) -> bool:
        """Count a success, and return whether it closed the circuit."""
        now_ms = self.row.success_ms = self._services.now_ms()
        self.row.signs.succeeded(now_ms)
        first = not probe and _is_first(due)
        if first:
            self._note_first(due, now_ms, refused=False)
        closed = self._close(first=first)
        if closed:
            logger.info("webhook_%d answers again: sending what waited", due.webhook_id)
        return closed

    def failed(self, due: Due, outcome: Outcome, *, probe: bool, strict: bool) -> bool:
        """Count a failure, and return whether it opened the circuit."""
        now, now_ms = self._services.now(), self._services.now_ms()
        first = _is_first(due)
        if first and not probe:
            self._note_first(due, now_ms, refused=outcome.kind in (Kind.REFUSAL, Kind.ERROR))
        opens = False
        if probe:
            self._probes.failed(due, outcome, now, random.random)
        elif self._circuit.fail(outcome.kind, due.id, now, first=first, strict=strict):
            opens = True
            logger.warning("webhook_%d keeps failing: probing it from now on", due.webhook_id)
            self._circuit.open(now, outcome.retry_after, random.random)
            self.row.opened_ms = now_ms
            self.row.signs.confirm_failing()
        if self._circuit.opened:
            self.row.failed_probes = self._circuit.failed_probes
            wait = max(0.0, self._circuit.next_probe - now)
            self.row.next_probe_ms = now_ms + round(wait * 1000)
        return opens

    def note_error(self, due: Due, outcome: Outcome) -> None:
        """Remember the last failure for the pages."""
        self.row.signs.failed(self._services.now_ms(), due.id)
        self.row.error = outcome.reason.value
        self.row.error_status = outcome.status
        self.row.error_ms = self._services.now_ms()

    def _note_first(self, due: Due, now_ms: int, *, refused: bool) -> None:
        waited_ms = now_ms - due.facts.received_ms
        self.row.signs.first_attempt(now_ms, refused=refused, waited_ms=waited_ms)

    def _close(self, *, first: bool) -> bool:
        self._probes.forget()
        self.row.close_circuit()
        return self._circuit.succeed(self._services.now(), first=first)


def _is_first(due: Due) -> bool:
    """Return whether the receiver sees an event for the first time."""
    return due.attempts == 0 and due.resends == 0
