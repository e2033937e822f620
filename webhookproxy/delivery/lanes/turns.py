"""Which delivery of a webhook is sent next, and when."""

from __future__ import annotations

from typing import NamedTuple

from webhookproxy.delivery.lanes.pace import Pace
from webhookproxy.delivery.lanes.probes import Probes
from webhookproxy.delivery.lanes.services import LaneServices
from webhookproxy.delivery.lanes.settings import LaneSettings
from webhookproxy.delivery.outcomes.circuit import Circuit
from webhookproxy.delivery.waiting.window import Window
from webhookproxy.models.deliveries.tables import Due

# Results sent but not committed yet, beyond one for each worker: what a crash may repeat.
UNSETTLED_MAX = 64


class Turn(NamedTuple):
    """A delivery to send now, or (None) when to look again; `probe`: of an open circuit."""

    due: Due | None
    probe: bool = False
    look_at: float | None = None


class Turns:
    """Chooses among window, probes and waiting. Times are seconds of a monotonic clock.

    Only take() reads; the lane lets nothing else in meanwhile.
    """

    def __init__(
        self, services: LaneServices, window: Window, circuit: Circuit, probes: Probes
    ) -> None:
        self._services = services
        self._window = window
        self._circuit = circuit
        self._probes = probes

    def may_come(self, settings: LaneSettings) -> bool:
        """Return whether take() may have something, without looking."""
        if not self._may_send(settings):
            return False
        now = self._services.now()
        if self._circuit.opened:
            return self._probes.ready(now)
        soonest = self._window.soonest(now)
        return self._window.more() or (soonest is not None and soonest <= now)

    def take(self, settings: LaneSettings, pace: Pace) -> Turn:
        """Return the next delivery to send, or when there may be one."""
        now = self._services.now()
        start = pace.start()
        if not self._may_send(settings) or self._window.resetting:
            return Turn(None)
        if now < start:
            return Turn(None, look_at=start)
        if self._circuit.opened:
            due = self._probes.take(now)
            waits = due is None and not self._probes.under_way
            return Turn(due, probe=True, look_at=self._probes.next_at(now) if waits else None)
        due = self._window.next(now, self._services.now_ms())
        if due is None:
            return Turn(None, look_at=self._window.soonest(now))
        pace.sent(now)
        return Turn(due)

    def next_at(self) -> float | None:
        """Return when the next delivery is due, if none is in hand."""
        now = self._services.now()
        return self._probes.next_at(now) if self._circuit.opened else self._window.soonest(now)

    def _may_send(self, settings: LaneSettings) -> bool:
        most = settings.parallelism + UNSETTLED_MAX
        return not settings.paused and len(self._window.in_hand.unsettled) < most
