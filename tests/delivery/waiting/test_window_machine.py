"""The window against a model: whatever happens, in order per key, once, and everything."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from tests.delivery.waiting.window_rows import NOW_MS, Bench
from webhookproxy.delivery.waiting import keys, walk
from webhookproxy.models.deliveries.tables import Due

# Small, so that every bound is met within a few steps; their relations are the real ones.
BOUNDS: dict[str, Any] = {
    "FRESH_MAX": 4,
    "HELD_MAX": 6,
    "CHUNK": 3,
    "KEYS_CHUNK": 2,
    "WAITING_KEYS_MAX": 2,
}
FOLLOWERS_MAX = 3
STOCK_CHARS = 8


class WindowMachine(RuleBasedStateMachine):
    """Plays the lane, its workers, the results' writer, the intake, and people at a page."""

    in_hand = Bundle("in_hand")
    unsettled = Bundle("unsettled")

    def __init__(self) -> None:
        super().__init__()
        self.bounds = ExitStack()
        self.bounds.enter_context(patch.multiple(walk, FOLLOWERS_MAX=FOLLOWERS_MAX, **BOUNDS))
        self.bounds.enter_context(patch.object(keys, "FOLLOWERS_MAX", FOLLOWERS_MAX))
        self.bench = Bench()
        self.sending: dict[int, Due] = {}
        self.probes: set[int] = set()
        self.ended: dict[int, Due] = {}
        # What people did and the window was not told yet.
        self.resent: set[int] = set()
        self.cancelled: set[int] = set()
        self.not_before: dict[int, float] = {}
        # Refused, and not given up only because nothing passed.
        self.kept: set[int] = set()
        self.uncommitted: dict[int, float | None] = {}
        self.forgiving = False
        self.circuit_open = False

    @initialize(strict=st.booleans(), waiting=st.text("abcd", max_size=12))
    def begin(self, strict: bool, waiting: str) -> None:
        self.bench = Bench(strict=strict, chars=STOCK_CHARS)
        if waiting:
            self.bench.store(waiting)

    @rule(keys=st.text("abcd", min_size=1, max_size=10))
    def arrive(self, keys: str) -> None:
        self.bench.arrive(keys)

    @precondition(lambda self: not self.circuit_open)
    @rule(target=in_hand)
    def hand_out(self) -> Any:
        due = self._hand_out()
        return multiple() if due is None else due

    @precondition(lambda self: self.circuit_open and not self.bench.window.resetting)
    @rule(target=in_hand, pick=st.integers(0, 20))
    def probe(self, pick: int) -> Any:
        heads = {due.order_key: due for due in reversed(list(self.bench.table.open.values()))}
        rows = list((self.bench.table.open if self.bench.window.keys.strict else heads).values())
        due = rows[pick % len(rows)] if rows else None
        if due is None or self.bench.window.in_hand.busy(due.id) or self.probes:
            return multiple()
        self.bench.window.lend(due)
        self.sending[due.id] = due
        self.probes.add(due.id)
        return due

    @rule(target=unsettled, due=consumes(in_hand))
    def succeed(self, due: Due) -> Due:
        self._succeed(due)
        return due

    @rule(
        target=unsettled,
        due=consumes(in_hand),
        seconds=st.sampled_from([0.0, 1.0, 5.0]),
        kept=st.booleans(),
    )
    def fail(self, due: Due, seconds: float, kept: bool) -> Due:
        probe = due.id in self.probes
        self._returned(due)
        self.bench.fail(due, 0.0 if probe else seconds, settle=False, kept=kept)
        (self.kept.add if kept else self.kept.discard)(due.id)
        at = self.bench.now + (0.0 if probe else seconds)
        self.not_before[due.id] = self.uncommitted[due.id] = at
        return due

    @rule(due=consumes(unsettled))
    def commit(self, due: Due) -> None:
        self._commit(due.id)

    @precondition(lambda self: not self.circuit_open)
    @rule()
    def open_circuit(self) -> None:
        self.circuit_open = True
        self._ask_reset(forgive=False)

    @rule(strict=st.booleans())
    def save_settings(self, strict: bool) -> None:
        self.circuit_open = False
        self._ask_reset(forgive=True, strict=strict)

    @rule(pick=st.integers(0, 20))
    def resend(self, pick: int) -> None:
        ids = [each for each in self.ended if each not in self.uncommitted | self.sending]
        if ids:
            due = self.ended.pop(ids[pick % len(ids)])
            self.not_before.pop(due.id, None)
            self.cancelled.discard(due.id)
            self.resent.add(due.id)
            self.bench.table.resend(due)

    @rule(pick=st.integers(0, 20))
    def cancel(self, pick: int) -> None:
        rows = [due for due in self.bench.table.open.values() if due.id not in self.ended]
        if rows:
            due = rows[pick % len(rows)]
            self.bench.table.end(due.id)
            self.ended[due.id] = due
            self.cancelled.add(due.id)

    @rule(pick=st.integers(0, 20))
    def try_now(self, pick: int) -> None:
        heads = {due.order_key: due for due in reversed(list(self.bench.table.open.values()))}
        rows = [due for due in heads.values() if due.id not in self.ended]
        if rows:
            due = rows[pick % len(rows)]
            self.bench.table.retry_at(due.id, None)
            self.not_before.pop(due.id, None)

    @rule()
    def look_again(self) -> None:
        self.resent.clear()
        self.cancelled.clear()
        self.bench.window.look_again()
        self._note_reset()

    @rule()
    def pardon(self) -> None:
        self.bench.window.keys.retries.pardon()
        self.not_before |= dict.fromkeys(self.kept, 0.0)
        self.kept.clear()

    @rule(seconds=st.sampled_from([0.5, 1.0, 10.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.bench.now += seconds

    @invariant()
    def one_row_of_a_key_is_in_hand(self) -> None:
        keys = [due.order_key for due in self.sending.values() if due.id not in self.probes]
        assert len(keys) == len(set(keys))

    @invariant()
    def what_is_in_memory_is_bounded(self) -> None:
        window = self.bench.window
        held = window.keys.states.values()
        assert len(window._walk._fresh) <= BOUNDS["FRESH_MAX"]
        assert all(len(key.followers) <= FOLLOWERS_MAX for key in held)
        assert window.keys.followers == sum(len(key.followers) for key in held)
        # Every row that ends may have its key read on, however many are held by the others.
        most = BOUNDS["HELD_MAX"] + BOUNDS["CHUNK"]
        assert window.keys.followers <= most + FOLLOWERS_MAX * 4
        assert self.bench.budget.left >= 0
        stocked = sum(len(due.facts.payload) for due in window.stock._dues.values())
        assert stocked == STOCK_CHARS - self.bench.budget.left

    def teardown(self) -> None:
        """Everything that is open in the end is sent, in a bounded number of steps."""
        try:
            self._finish()
        finally:
            self.bounds.close()

    def _finish(self) -> None:
        for under_way in list(self.sending.values()):
            self._succeed(under_way)
        for delivery_id in list(self.uncommitted):
            self._commit(delivery_id)
        if self.circuit_open:
            self.circuit_open = False
            self._ask_reset(forgive=True)
        self.look_again()
        for _ in range(len(self.bench.table.open) + 1):
            self.bench.now += 10.0
            while (due := self._hand_out()) is not None:
                self._succeed(due)
                self._commit(due.id)
        assert not self.bench.table.open
        assert not self.bench.window.keys.states

    def _hand_out(self) -> Due | None:
        due = self.bench.next()
        if due is not None:
            self._check_handed_out(due)
            self.sending[due.id] = due
        return due

    def _succeed(self, due: Due) -> None:
        if self.circuit_open:
            self.circuit_open = False
            self._ask_reset(forgive=True)
        self._returned(due)
        self.bench.end(due, settle=False)
        self.ended[due.id] = due
        self.uncommitted[due.id] = None

    def _ask_reset(self, *, forgive: bool, strict: bool | None = None) -> None:
        self.forgiving = self.forgiving or forgive
        self.bench.window.ask_reset(forgive=forgive, strict=strict)
        self._note_reset()

    def _note_reset(self) -> None:
        if self.forgiving and not self.bench.window.resetting:
            self.forgiving = False
            self.not_before = dict.fromkeys(self.not_before, 0.0)

    def _returned(self, due: Due) -> None:
        del self.sending[due.id]
        self.probes.discard(due.id)

    def _commit(self, delivery_id: int) -> None:
        at = self.uncommitted.pop(delivery_id)
        if at is None:
            self.bench.table.end(delivery_id)
        elif delivery_id in self.bench.table.open:
            self.bench.table.retry_at(delivery_id, NOW_MS + round(at * 1000))
        self.bench.window.settle(delivery_id)
        self._note_reset()

    def _check_handed_out(self, due: Due) -> None:
        assert due.id not in self.sending, "handed out twice"
        gone = due.id in self.ended and due.id not in self.cancelled
        assert not gone, "handed out after its end"
        assert due.id not in self.uncommitted, "its last result is not committed"
        assert self.not_before.get(due.id, 0.0) <= self.bench.now, "tried too early"
        strict = self.bench.window.keys.strict
        earlier = [
            each
            for each in self.bench.table.open.values()
            if each.id < due.id and each.id not in self.ended and each.id not in self.resent
            if strict or each.order_key == due.order_key
        ]
        assert not earlier, "an earlier one waits"


TestWindowMachine = WindowMachine.TestCase
TestWindowMachine.settings = settings(
    max_examples=3 * settings().max_examples // 2, stateful_step_count=40, database=None
)
