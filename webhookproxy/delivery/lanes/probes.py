"""What an open circuit is probed with: one delivery at a time, on schedule or when asked for."""

from __future__ import annotations

from collections.abc import Iterable

from webhookproxy.delivery.outcomes.circuit import Circuit
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import PROBE_LAST, Kind, Random
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
        # Deliveries that users want tried now, in the order of their requests.
        self._asked: dict[int, None] = {}
        self._by_wish = False
        # The newest that was a probe, and whether the last probe was refused.
        self._newest = 0
        self._refused = False
        # After which key the next search among all of them goes on.
        self._last_key: str | None = None

    def restore(self, failed_probes: int, wait: float, now: float) -> None:
        """Open the circuit as the last owner left it, probed after `wait` seconds."""
        # A clock that jumped must not put the probe off for longer than any schedule does.
        self._circuit.restore(failed_probes, now + min(max(0.0, wait), PROBE_LAST))

    def ask(self, delivery_ids: Iterable[int]) -> None:
        """Probe with these before the schedule says so, if the circuit is open."""
        if self._circuit.opened:
            self._asked.update(dict.fromkeys(delivery_ids))

    def forget(self) -> None:
        """The circuit closed: everything is due by itself."""
        self._asked.clear()
        self._newest = 0

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

    def failed(self, due: Due, outcome: Outcome, now: float, random: Random) -> None:
        """Note that a probe failed. One that a user asked for delays the next only if the receiver
        asks for it."""
        retry_after = outcome.retry_after
        if not self._by_wish:
            self._refused = outcome.kind in (Kind.REFUSAL, Kind.ERROR)
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
        row = self._next_of_all() if self._window.keys.strict else self._next_head()
        due = None if row is None else self._backlog.one(row.id)
        if due is None or self._is_taken(due.id, due.order_key):
            # What comes in next, or a second from now, may serve.
            self._circuit.next_probe = now + LOOK_AGAIN
            return None
        return due

    def _next_of_all(self) -> Row | None:
        """Return the row of the last probe, or the one behind it, or the first: in strict order."""
        probed = self._circuit.probed_id
        for after in (probed if self._circuit.wants_another() else probed - 1, 0):
            if rows := self._backlog.after(after, 1):
                return rows[0]
        return None

    def _next_head(self) -> Row | None:
        """Return the newest first row of a key that the receiver has not refused yet.

        If that is no new one: the last probe's, for its second probe, and then an older one.
        If all were refused they have their turn in the order of their numbers. Of very many keys
        only some are looked at, and others the next time.
        """
        probed, again = self._circuit.probed_id, not self._circuit.wants_another()
        if (row := self._first_fresh(self._backlog.newest_heads(_ANY))) and row.id > self._newest:
            self._newest = row.id
            return row
        if probed and again and not self._refused and (due := self._backlog.one(probed)):
            return Row(due.id, due.order_key, due.due_ms)
        if row := self._first_fresh(self._backlog.newest_heads(probed or _ANY)):
            return row
        found = sorted(self._some_heads(), reverse=True)
        older = [row for row in found if row.id < probed]
        if row := self._first_fresh(older) or self._first_fresh(found):
            return row
        behind = [row for row in found if row.id > probed - again]
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

    def _first_fresh(self, rows: list[Row]) -> Row | None:
        """Return the first row that was not refused, of those that can be lent."""
        free = (row for row in rows if not self._is_taken(row.id, row.order_key))
        return next((row for row in free if not row.refused), None)

    def _is_taken(self, delivery_id: int, order_key: str) -> bool:
        """Return whether a row cannot be lent: it, or another of its key, is in hand."""
        in_hand, keys = self._window.in_hand, self._window.keys
        return in_hand.busy(delivery_id) or in_hand.has_key(keys.key_of(order_key))
