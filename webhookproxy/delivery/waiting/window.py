"""A bounded window over a webhook's undelivered rows: in order per key, parallel across keys."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from webhookproxy.delivery.waiting.in_hand import InHand
from webhookproxy.delivery.waiting.keys import Keys
from webhookproxy.delivery.waiting.rows import Row, Rows
from webhookproxy.delivery.waiting.stock import Budget, Stock
from webhookproxy.delivery.waiting.walk import Walk
from webhookproxy.models.deliveries.tables import Due

# How long a row that is due again waits for the commit of its last result, at a time. Seconds.
UNSETTLED_WAIT = 0.1


class Window:
    """Hands out rows; every row handed out comes back by release() or hold(), then settle().

    Only next() reads, and may yield while it does: the lane lets nothing else in meanwhile.
    """

    def __init__(self, rows: Rows, budget: Budget, *, strict: bool) -> None:
        self.in_hand = InHand()
        self.keys = Keys(strict=strict)
        self.stock = Stock(rows, budget)
        self._rows = rows
        self._walk = Walk(rows, self.keys, self.in_hand)
        # Whether all is to be read again, and then with what waits due at once.
        self._reset_asked: bool | None = None
        self._strict_asked = strict

    def offer(self, due: Due) -> None:
        """Take notice of a row that was just committed."""
        if self._walk.offer(Row(due.id, due.order_key, due.due_ms, due.tries)):
            self.stock.put(due)

    @property
    def resetting(self) -> bool:
        """Whether a reset was asked for and waits for results to be committed."""
        return self._reset_asked is not None

    def more(self) -> bool:
        """Return whether next() may have something that was not tried yet, without looking."""
        return bool(self.keys.ready) or self._walk.more()

    def soonest(self, now: float) -> float | None:
        """Return when the next waiting key may be tried, in monotonic seconds."""
        return self.keys.retries.soonest(now)

    def next(self, now: float, now_ms: int) -> Due | None:
        """Return the next row to send. `now` is monotonic seconds, `now_ms` wall time."""
        if self._reset_asked is not None:
            return None
        for key, delivery_id in self._candidates(now, now_ms):
            ready = (each for _, each in self.keys.ready)
            followers = (row.id for row in self.keys.states[key].followers)
            due = self.stock.take(delivery_id, chain(followers, ready))
            if due is not None:
                self.in_hand.take(delivery_id, key)
                return due
            # It was cancelled or expired while it waited.
            self.keys.go_on(key, now, now_ms)
        return None

    def lend(self, due: Due) -> None:
        """Count a row as handed out that next() did not choose: a probe."""
        key = self.keys.key_of(due.order_key)
        self.in_hand.take(due.id, key)
        self.keys.lend(key, due.id)

    def release(self, due: Due, now: float, now_ms: int) -> None:
        """A row ended: its key goes on."""
        self.in_hand.doubted.discard(due.id)
        self.keys.release(due.id, self.in_hand.give_back(due.id), now, now_ms)

    def hold(self, due: Due, at: float, *, kept: bool = False) -> None:
        """A row failed: its key waits until `at` (monotonic seconds), the others go on.

        `kept`: it was refused, and is not given up only because no other event passed.
        """
        self.keys.hold(due.id, self.in_hand.give_back(due.id), at, kept=kept)
        if due.id in self.in_hand.doubted:
            self.in_hand.doubted.discard(due.id)
            self.ask_reset(forgive=False)

    def settle(self, delivery_id: int) -> None:
        """The result of a row is committed."""
        self.in_hand.settle(delivery_id)
        self._reset()

    def look_again(self) -> None:
        """Read all rows again: some were resent, ended, or are new. Rows in hand stay in hand."""
        # Should one of these fail, it must not keep a row waiting that now comes before it.
        self.in_hand.doubt()
        self.ask_reset(forgive=False)

    def ask_reset(self, *, forgive: bool, strict: bool | None = None) -> None:
        """Forget all that is not being sent and read it again from the database.

        With `forgive`, rows that wait for another try are due at once: what was refused, when
        there is nothing else to send. It happens when the last result is committed (before that,
        the database does not say what ended) and, if `strict` changes, when nothing is being sent
        any more.
        """
        self._reset_asked = forgive or bool(self._reset_asked)
        self._strict_asked = self._strict_asked if strict is None else strict
        self._reset()

    def _reset(self) -> None:
        changes = self._strict_asked != self.keys.strict
        if self._reset_asked is None or self.in_hand.unsettled or (changes and self.in_hand):
            return
        forgive, self._reset_asked = self._reset_asked, None
        self.keys.strict = self._strict_asked
        self.keys.restart(self.in_hand.heads(), forgive=forgive)
        self.stock.clear()
        self._walk.restart()

    def _candidates(self, now: float, now_ms: int) -> Iterator[tuple[str, int]]:
        """Hand out heads that may be sent: those whose time has come, new ones, early ones."""
        yield from self._waited(self.keys.retries.due(now), now, now_ms)
        while True:
            if not self.keys.ready:
                self._walk.find(now, now_ms)
            if not self.keys.ready:
                break
            yield self.keys.ready.popleft()
        yield from self._waited(self.keys.retries.early(), now, now_ms)

    def _waited(
        self, heads: Iterator[tuple[str, int]], now: float, now_ms: int
    ) -> Iterator[tuple[str, int]]:
        """Hand out heads that were tried before, unless another comes before them."""
        for key, delivery_id in heads:
            first = delivery_id
            if self.keys.strict and (rows := self._rows.after(0, 1)):
                # This one may have overtaken the first of all as a probe.
                first = rows[0].id
            if {first, delivery_id} & self.in_hand.unsettled:
                # The database takes no writes: what it says of this row is not true yet.
                self.keys.retries.wait(key, delivery_id, now + UNSETTLED_WAIT, kept=False)
            elif first != delivery_id:
                self.keys.lead(key, rows[0], now, now_ms)
            else:
                yield key, delivery_id
