"""A bounded window over a webhook's undelivered rows: in order per key, parallel across keys."""

from __future__ import annotations

import heapq
from collections import deque

from webhookproxy.delivery.lanes.backlog import Rows
from webhookproxy.models.deliveries.tables import Due

# Rows that come straight from memory; a lane that falls further behind reads from the database.
FRESH_MAX = 256
# Rows in hand that wait for an earlier one of their key, or for a free worker.
HELD_MAX = 256
FOLLOWERS_MAX = 64
CHUNK = 64
# Keys whose head failed and waits for its next try. At this bound new keys wait, in the database.
WAITING_KEYS_MAX = 10_000
# A due time further ahead than any schedule sets one comes from a clock that jumped. Seconds.
DUE_AHEAD_MAX = 4000.0
# How long a row that is due again waits for the commit of its last result, at a time. Seconds.
UNSETTLED_WAIT = 0.1


class _Key:
    """An ordering key with a row that is being sent, is ready to be, or waits for another try."""

    __slots__ = ("followers", "head", "skipped", "waiting")

    def __init__(self, head: int) -> None:
        self.head = head
        self.waiting = False
        # Whether rows of this key were passed over and must be read again from the database.
        self.skipped = False
        self.followers: deque[Due] = deque()


class Window:
    """Hands out rows; every row handed out comes back by release() or hold(), then settle().

    Not safe across greenlets by itself where `rows` may yield: the lane holds a lock.
    """

    def __init__(self, rows: Rows, *, strict: bool, highest: int) -> None:
        self.strict = strict
        self._rows = rows
        # Every row up to `_cursor` was taken into account; rows up to `_highest` exist.
        self._cursor = 0
        self._highest = highest
        # Rows up to `_forgiven` are due at once, but for those that failed again since.
        self._forgiven = 0
        self._failed_since: set[int] = set()
        self._fresh: deque[Due] = deque()
        self._ready: deque[Due] = deque()
        self._keys: dict[str, _Key] = {}
        self._due: list[tuple[float, int, str]] = []
        self._waiting = 0
        self._followers = 0
        # What is being sent, each with the key it keeps busy.
        self._sending: dict[int, str] = {}
        self._unsettled: set[int] = set()
        # What was in hand when somebody changed rows: some that come before it may wait now.
        self._doubted: set[int] = set()
        self._reset_asked: bool | None = None
        self._strict_asked = strict

    def offer(self, due: Due) -> None:
        """Take notice of a row that was just committed."""
        known = self._fresh[-1].id if self._fresh else self._cursor
        if due.id <= known:
            return
        if self._highest <= known and len(self._fresh) < FRESH_MAX:
            self._fresh.append(due)
        self._highest = due.id

    @property
    def resetting(self) -> bool:
        """Whether a reset was asked for and waits for results to be committed."""
        return self._reset_asked is not None

    @property
    def unsettled(self) -> int:
        """How many rows were sent whose result is not committed yet."""
        return len(self._unsettled)

    def busy(self, delivery_id: int) -> bool:
        """Whether a row is being sent, or was and its result is not committed yet."""
        return delivery_id in self._sending or delivery_id in self._unsettled

    def taken(self, due: Due) -> bool:
        """Whether a row cannot be lent: it, or another of its key, is in hand."""
        return self.busy(due.id) or self._key_of(due) in self._sending.values()

    def more(self) -> bool:
        """Whether next() may have something, without looking."""
        return bool(self._ready or self._fresh) or self._cursor < self._highest

    def next(self, now: float, now_ms: int) -> Due | None:
        """The next row to send, or None. `now` is monotonic seconds, `now_ms` wall time."""
        if self._reset_asked is not None:
            return None
        due = self._next_waiting(now, now_ms)
        if due is None and not self._ready:
            self._fill(now, now_ms)
        if due is None and self._ready:
            due = self._ready.popleft()
        if due is not None:
            self._sending[due.id] = self._key_of(due)
        return due

    def lend(self, due: Due) -> None:
        """Count a row as handed out that next() did not choose: a probe."""
        key = self._sending[due.id] = self._key_of(due)
        self._keys.setdefault(key, _Key(due.id))

    def soonest(self) -> float | None:
        """When the next waiting key is due, in monotonic seconds."""
        return self._due[0][0] if self._due else None

    def release(self, due: Due, now: float, now_ms: int) -> None:
        """A row ended: its key goes on."""
        key = self._returned(due)
        self._doubted.discard(due.id)
        self._failed_since.discard(due.id)
        if (state := self._keys.get(key)) is not None and state.head == due.id:
            self._go_on(key, state, now, now_ms)

    def hold(self, due: Due, at: float) -> None:
        """A row failed: its key waits until `at` (monotonic seconds), the others go on."""
        key = self._returned(due)
        self._failed_since.add(due.id)
        if (state := self._keys.get(key)) is not None and state.head == due.id:
            self._wait(key, state, at)
        if due.id in self._doubted:
            self._doubted.discard(due.id)
            self.ask_reset(forgive=False)

    def settle(self, delivery_id: int) -> None:
        """The result of a row is committed."""
        self._unsettled.discard(delivery_id)
        self._reset()

    def look_again(self) -> None:
        """Read all anew, because somebody resent or ended rows; what is in hand stays so."""
        # Should one of these fail, it must not keep a row waiting that now comes before it.
        self._doubted.update(self._sending)
        self.ask_reset(forgive=False)

    def ask_reset(self, *, forgive: bool, strict: bool | None = None) -> None:
        """Forget all that is not being sent and read it again from the database.

        With `forgive`, rows that wait for another try are due at once. It happens when the last
        result is committed (before that, the database does not say what ended) and, if `strict`
        changes, when nothing is being sent any more.
        """
        self._reset_asked = forgive or bool(self._reset_asked)
        self._strict_asked = self._strict_asked if strict is None else strict
        self._reset()

    def _reset(self) -> None:
        changes = self._strict_asked != self.strict
        if self._reset_asked is None or self._unsettled or (changes and self._sending):
            return
        if self._reset_asked:
            self._forgiven = self._highest
            self._failed_since.clear()
        self._reset_asked = None
        self.strict = self._strict_asked
        self._rewind(0)
        self._due.clear()
        self._waiting = 0
        # Of two rows of one key in hand, one is a probe that overtook: the other is the head.
        in_hand = sorted(self._sending.items(), reverse=True)
        self._keys = {key: _Key(delivery_id) for delivery_id, key in in_hand}

    def _rewind(self, cursor: int) -> None:
        self._cursor = cursor
        self._fresh.clear()
        self._ready.clear()
        self._followers = 0
        for state in self._keys.values():
            state.followers.clear()

    def _returned(self, due: Due) -> str:
        self._unsettled.add(due.id)
        return self._sending.pop(due.id)

    def _key_of(self, due: Due) -> str:
        return "" if self.strict else due.order_key

    def _next_waiting(self, now: float, now_ms: int) -> Due | None:
        while self._due and self._due[0][0] <= now:
            _, delivery_id, key = heapq.heappop(self._due)
            due = self._head_of(delivery_id)
            if delivery_id in self._unsettled or (due is not None and due.id in self._unsettled):
                # The database takes no writes: what it says of this row is not true yet.
                heapq.heappush(self._due, (now + UNSETTLED_WAIT, delivery_id, key))
                continue
            self._waiting -= 1
            state = self._keys.get(key)
            if state is None or not state.waiting or state.head != delivery_id:
                continue
            state.waiting = False
            if due is None:
                # It was cancelled or expired while it waited.
                self._go_on(key, state, now, now_ms)
            elif due.id == delivery_id:
                return due
            else:
                state.head = due.id
                self._head(key, state, due, now, now_ms)
        return None

    def _head_of(self, delivery_id: int) -> Due | None:
        """The row that is to be sent when this one is due.

        In strict order that is the first of all: this one may have overtaken it as a probe.
        """
        if not self.strict:
            return self._rows.one(delivery_id)
        return next(iter(self._rows.after(0, 1)), None)

    def _fill(self, now: float, now_ms: int) -> None:
        if self.strict and (self._keys or self._sending):
            return
        while not self._ready and self._followers < HELD_MAX and self._waiting < WAITING_KEYS_MAX:
            if self._stuck():
                return
            if self._fresh:
                due = self._fresh.popleft()
                self._cursor = due.id
                self._admit(due, now, now_ms)
            elif self._cursor < self._highest:
                highest = self._highest
                rows = self._rows.after(self._cursor, CHUNK)
                for due in rows:
                    if self._stuck():
                        return
                    self._cursor = due.id
                    self._admit(due, now, now_ms)
                if len(rows) < CHUNK:
                    self._cursor = max(self._cursor, highest)
            else:
                return

    def _stuck(self) -> bool:
        """In strict order nothing passes a row that waits: what follows stays in the database."""
        return self.strict and "" in self._keys and self._keys[""].waiting

    def _admit(self, due: Due, now: float, now_ms: int) -> None:
        if due.id in self._sending or due.id in self._unsettled:
            return
        key = self._key_of(due)
        state = self._keys.get(key)
        if state is None:
            state = self._keys[key] = _Key(due.id)
            self._head(key, state, due, now, now_ms)
        elif not state.waiting and not state.skipped and len(state.followers) < FOLLOWERS_MAX:
            state.followers.append(due)
            self._followers += 1
        else:
            state.skipped = True

    def _head(self, key: str, state: _Key, due: Due, now: float, now_ms: int) -> None:
        ahead = 0.0 if due.due_ms is None else (due.due_ms - now_ms) / 1000
        forgiven = due.id <= self._forgiven and due.id not in self._failed_since
        if ahead > 0 and not forgiven:
            self._wait(key, state, now + min(ahead, DUE_AHEAD_MAX))
        else:
            self._ready.append(due)

    def _wait(self, key: str, state: _Key, at: float) -> None:
        if self.strict:
            # What was read after this row is read again after it. A probe, or a row that was in
            # hand at a reset, has rows before it that were not read yet.
            self._rewind(min(state.head, self._cursor))
        elif state.followers:
            self._followers -= len(state.followers)
            state.followers.clear()
            state.skipped = True
        state.waiting = True
        self._waiting += 1
        heapq.heappush(self._due, (at, state.head, key))

    def _go_on(self, key: str, state: _Key, now: float, now_ms: int) -> None:
        """Make the next row of a key its head."""
        if not state.followers and state.skipped:
            rows = self._rows.of_key(key, state.head, self._cursor, FOLLOWERS_MAX)
            state.skipped = len(rows) == FOLLOWERS_MAX
            # A row that was resent may be the head while a later one's result is not committed.
            state.followers.extend(row for row in rows if not self.busy(row.id))
            self._followers += len(state.followers)
        if not state.followers:
            del self._keys[key]
            return
        due = state.followers.popleft()
        self._followers -= 1
        state.head = due.id
        self._head(key, state, due, now, now_ms)
