"""The ordering keys in hand: which may send its first row, which waits, and what follows."""

from __future__ import annotations

from collections import deque

from webhookproxy.delivery.waiting.retries import Retries
from webhookproxy.delivery.waiting.rows import Row

# Rows of one key that wait in memory for an earlier one.
FOLLOWERS_MAX = 64
# The key of every row in strict order.
ONLY = ""


class Key:
    """A key whose first row, the head, is being sent, is ready to be, or waits for another try."""

    __slots__ = ("followers", "head", "skipped", "upto")

    def __init__(self, head: int, upto: int, *, skipped: bool = False) -> None:
        self.head = head
        self.followers: deque[Row] = deque()
        # Rows up to here were taken into account; `skipped`: some behind it were passed over.
        self.upto = upto
        self.skipped = skipped


class Keys:
    """Hands out the heads of keys. Reads nothing; times are seconds of a monotonic clock."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.retries = Retries()
        self.states: dict[str, Key] = {}
        # Heads that may be sent, and keys of which the next rows must be read first.
        self.ready: deque[tuple[str, int]] = deque()
        self.unread: deque[str] = deque()
        self.followers = 0

    def key_of(self, order_key: str) -> str:
        """Return the key under which a row keeps its order."""
        return ONLY if self.strict else order_key

    def restart(self, in_hand: dict[str, int], *, forgive: bool) -> None:
        """Forget all but the keys of what is in hand; with `forgive` all rows are due at once."""
        self.retries.restart(forgive=forgive)
        self.states = {key: Key(head, 0) for key, head in in_hand.items()}
        self.ready.clear()
        self.unread.clear()
        self.followers = 0

    def admit(self, row: Row, now: float, now_ms: int) -> None:
        """Take a row into account that was read or just committed."""
        key = self.key_of(row.order_key)
        state = self.states.get(key)
        if state is None:
            self.states[key] = Key(row.id, row.id)
            self._place(key, row, now, now_ms)
        elif row.id > state.upto:
            if key in self.retries or state.skipped or len(state.followers) >= FOLLOWERS_MAX:
                state.skipped = True
            else:
                state.followers.append(row)
                state.upto = row.id
                self.followers += 1

    def pass_over(self) -> None:
        """Note that rows of every key in hand are passed over."""
        for state in self.states.values():
            state.skipped = True

    def reach(self, row: Row, now: float, now_ms: int, *, busy: bool) -> None:
        """Take the first row of a key into account; those behind it are passed over.

        `busy`: it is in hand, or its result is not committed, so those behind it are read next.
        """
        key = self.key_of(row.order_key)
        if key in self.states:
            return
        self.states[key] = Key(row.id, row.id, skipped=True)
        if busy:
            self.unread.append(key)
        else:
            self._place(key, row, now, now_ms)

    def extend(self, key: str, rows: list[Row], *, whole: bool, now: float, now_ms: int) -> None:
        """Go on with the next rows of a key, which were read; `whole`: there are no others."""
        state = self.states[key]
        state.skipped = not whole
        state.followers.extend(rows)
        self.followers += len(rows)
        self.go_on(key, now, now_ms)

    def go_on(self, key: str, now: float, now_ms: int) -> None:
        """Make the next row of a key its head: the one before it ended."""
        state = self.states[key]
        if state.followers:
            row = state.followers.popleft()
            self.followers -= 1
            state.head = row.id
            self._place(key, row, now, now_ms)
        elif state.skipped:
            self.unread.append(key)
        else:
            del self.states[key]

    def lend(self, key: str, delivery_id: int) -> None:
        """Note that a row is being sent which was chosen elsewhere: a probe."""
        self.states.setdefault(key, Key(delivery_id, 0))

    def release(self, delivery_id: int, key: str, now: float, now_ms: int) -> None:
        """Note that a row which was being sent ended."""
        self.retries.ended(delivery_id)
        if (state := self.states.get(key)) is not None and state.head == delivery_id:
            self.go_on(key, now, now_ms)

    def hold(self, delivery_id: int, key: str, at: float, *, kept: bool) -> None:
        """Note that a row which was being sent failed: its key waits until `at`."""
        self.retries.failed(delivery_id)
        if (state := self.states.get(key)) is not None and state.head == delivery_id:
            self.retries.wait(key, delivery_id, at, kept=kept)
            self._put_back(state)

    def lead(self, key: str, row: Row, now: float, now_ms: int) -> None:
        """Make another row the head of a key: it comes before the one whose time has come."""
        state = self.states[key]
        state.head = row.id
        self._put_back(state)
        self._place(key, row, now, now_ms)

    def _place(self, key: str, row: Row, now: float, now_ms: int) -> None:
        if self.retries.keep(key, row, now, now_ms):
            self._put_back(self.states[key])
        else:
            self.ready.append((key, row.id))

    def _put_back(self, state: Key) -> None:
        """Leave what follows the head in the database; it is read again when the head has ended.

        In strict order there may be rows behind the head that no walk has come to.
        """
        if state.followers or self.strict:
            self.followers -= len(state.followers)
            state.followers.clear()
            state.skipped = True
        state.upto = state.head
