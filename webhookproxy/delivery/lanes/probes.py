"""What an open circuit is probed with: one delivery at a time, on schedule or when asked for."""

from __future__ import annotations

from collections.abc import Iterable

from webhookproxy.delivery.lanes.backlog import Backlog
from webhookproxy.delivery.lanes.window import Window
from webhookproxy.delivery.outcomes.retry import PROBE_LAST, Circuit, Random
from webhookproxy.models.deliveries.tables import Due

# How soon a probe is looked for again when there was nothing to probe with, in seconds.
LOOK_AGAIN = 1.0


class Probes:
    """Chooses probes of one webhook's circuit. Times are seconds of a monotonic clock.

    Not safe across greenlets by itself: the lane holds a lock.
    """

    def __init__(self, circuit: Circuit, backlog: Backlog, window: Window) -> None:
        self.under_way = False
        self._circuit = circuit
        self._backlog = backlog
        self._window = window
        # Deliveries that somebody wants tried now, in the order of their wishes.
        self._asked: dict[int, None] = {}
        self._by_wish = False

    def restore(self, failed_probes: int, wait: float, now: float) -> None:
        """Open the circuit as the last owner left it, probed after so many seconds."""
        # A clock that jumped must not put the probe off for longer than any schedule does.
        self._circuit.restore(failed_probes, now + min(max(0.0, wait), PROBE_LAST))

    def ask(self, delivery_ids: Iterable[int]) -> None:
        """Probe with these before the schedule says so, if the circuit is open."""
        if self._circuit.opened:
            self._asked.update(dict.fromkeys(delivery_ids))

    def forget(self) -> None:
        """The circuit closed: everything is due by itself."""
        self._asked.clear()

    def ready(self, now: float) -> bool:
        """Whether take() may have something, without looking."""
        return not self.under_way and (bool(self._asked) or now >= self._circuit.next_probe)

    def take(self, now: float) -> Due | None:
        """The delivery to probe with now, lent from the window; None if there is none now."""
        if self.under_way:
            return None
        due = self._wished()
        self._by_wish = due is not None
        if due is None and now >= self._circuit.next_probe:
            due = self._scheduled(now)
        if due is not None:
            self.under_way = True
            self._window.lend(due)
        return due

    def next_at(self, now: float) -> float:
        """When take() is to be asked again."""
        return now + LOOK_AGAIN if self._asked else self._circuit.next_probe

    def failed(self, due: Due, now: float, retry_after: float | None, random: Random) -> None:
        """A probe failed. One that somebody asked for puts the next one off only if the receiver
        did."""
        if not self._by_wish:
            self._circuit.probe_failed(due.id, now, retry_after, random)
        elif retry_after:
            self._circuit.next_probe = max(self._circuit.next_probe, now + retry_after)

    def _wished(self) -> Due | None:
        for delivery_id in list(self._asked):
            due = self._backlog.one(delivery_id)
            if due is not None:
                due = self._backlog.head_before(due, strict=self._window.strict)
            if due is not None and self._window.taken(due):
                # One of its key is in hand: this one is looked at again in a second.
                continue
            del self._asked[delivery_id]
            if due is not None:
                return due
        return None

    def _scheduled(self, now: float) -> Due | None:
        circuit, due = self._circuit, None
        if circuit.probed_id and not circuit.wants_another():
            due = self._backlog.one(circuit.probed_id)
        if due is None:
            due = self._backlog.head_after(circuit.probed_id, strict=self._window.strict)
        if due is None or self._window.taken(due):
            # What comes in next, or a second from now, may serve.
            circuit.next_probe = now + LOOK_AGAIN
            return None
        return due
