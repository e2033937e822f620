"""What an open circuit is probed with: one delivery at a time, on schedule or when asked for."""

from __future__ import annotations

from collections.abc import Iterable

from webhookproxy.delivery.outcomes.retry import PROBE_LAST, Circuit, Random
from webhookproxy.delivery.waiting.backlog import KEYS_AT_ONCE, KEYS_MAX, Backlog
from webhookproxy.delivery.waiting.rows import Row
from webhookproxy.delivery.waiting.window import Window
from webhookproxy.models.deliveries.tables import Due

# How soon a probe is looked for again when there was nothing to probe with, in seconds.
LOOK_AGAIN = 1.0
# Higher than any delivery's number.
_ANY = 1 << 62


class Probes:
    """Chooses probes of one webhook's circuit. Times are seconds of a monotonic clock.

    Only take() reads; the lane lets nothing else in meanwhile.
    """

    def __init__(self, circuit: Circuit, backlog: Backlog, window: Window) -> None:
        self.under_way = False
        self._circuit = circuit
        self._backlog = backlog
        self._window = window
        # Deliveries that somebody wants tried now, in the order of their wishes.
        self._asked: dict[int, None] = {}
        self._by_wish = False
        # After which key the next search among all of them goes on.
        self._last_key: str | None = None

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
        strict = self._window.keys.strict
        for delivery_id in list(self._asked):
            due = self._backlog.one(delivery_id)
            if due is not None:
                due = self._backlog.head_before(due, strict=strict)
            if due is not None and self._is_taken(due.id, due.order_key):
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
            row = self._next_of_all() if self._window.keys.strict else self._next_head()
            due = None if row is None else self._backlog.one(row.id)
        if due is None or self._is_taken(due.id, due.order_key):
            # What comes in next, or a second from now, may serve.
            circuit.next_probe = now + LOOK_AGAIN
            return None
        return due

    def _next_of_all(self) -> Row | None:
        """Return the row behind the last probe, or the first of all: in strict order."""
        for after in (self._circuit.probed_id, 0):
            if rows := self._backlog.after(after, 1):
                return rows[0]
        return None

    def _next_head(self) -> Row | None:
        """Return the newest first row of a key that the receiver has not refused yet.

        Of two in a row the second is older than the first. If all were refused it is the next one
        by its number. Of very many keys only some are looked at, and others the next time.
        """
        probed = self._circuit.probed_id
        before = probed or _ANY
        if (row := self._newest(self._backlog.newest_heads(before))) is not None:
            return row
        found = self._some_heads()
        fresh = [row for row in found if not row.refused]
        if row := self._newest([row for row in fresh if row.id < before]) or self._newest(fresh):
            return row
        behind = [row for row in found if row.id > probed]
        return min(behind or found, default=None)

    def _some_heads(self) -> list[Row]:
        found: list[Row] = []
        for _ in range(KEYS_MAX // KEYS_AT_ONCE):
            heads = self._backlog.heads(self._last_key, KEYS_AT_ONCE)
            found += [row for row in heads.rows if not self._is_taken(row.id, row.order_key)]
            self._last_key = heads.last
            if heads.last is None:
                break
        return found

    def _newest(self, rows: list[Row]) -> Row | None:
        free = (row for row in rows if not self._is_taken(row.id, row.order_key))
        return max((row for row in free if not row.refused), default=None)

    def _is_taken(self, delivery_id: int, order_key: str) -> bool:
        """Return whether a row cannot be lent: it, or another of its key, is in hand."""
        in_hand, keys = self._window.in_hand, self._window.keys
        return in_hand.busy(delivery_id) or in_hand.has_key(keys.key_of(order_key))
