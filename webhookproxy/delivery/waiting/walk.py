"""Walks over what waits: straight from memory, in the order of numbers, or from key to key."""

from __future__ import annotations

from collections import deque

from webhookproxy.delivery.waiting.in_hand import InHand
from webhookproxy.delivery.waiting.keys import FOLLOWERS_MAX, Keys
from webhookproxy.delivery.waiting.rows import Row, Rows

# Rows that come straight from memory; a lane that falls further behind reads from the database.
FRESH_MAX = 256
# Rows in hand that wait for an earlier one of their key.
HELD_MAX = 256
# Rows, and keys, that are read at once.
CHUNK = 64
KEYS_CHUNK = 256
# Keys whose head failed and waits for its next try. At this bound new keys wait, in the database.
WAITING_KEYS_MAX = 10_000


class Walk:
    """Finds what can be sent next, at a cost that does not grow with the rows that cannot.

    It goes in the order of numbers. Where a whole chunk of rows can only wait for others of their
    keys, it goes once from key to key instead, and passes over what it has not read: that is
    found by its key.
    """

    def __init__(self, rows: Rows, keys: Keys, in_hand: InHand) -> None:
        self._rows = rows
        self._keys = keys
        self._in_hand = in_hand
        # Every row of the webhook up to `_cursor` was taken into account; rows up to `_highest`
        # exist. No number of another webhook counts: what its owner numbers may be far ahead.
        self._cursor = 0
        self._highest = 0
        # Whether there may be rows behind the cursor that were not offered.
        self._unread = True
        self._fresh: deque[Row] = deque()
        # While it goes from key to key: after which one, and what existed when it began.
        self._last_key: str | None = None
        self._began: int | None = None

    def offer(self, row: Row) -> bool:
        """Take notice of a row that was just committed, and return whether it is sent soon."""
        known = self._fresh[-1].id if self._fresh else self._cursor
        if row.id <= known:
            return False
        is_next = not self._is_behind(known) and len(self._fresh) < FRESH_MAX
        if is_next:
            self._fresh.append(row)
        self._highest = row.id
        return is_next

    def more(self) -> bool:
        """Return whether find() may bring something, without looking."""
        return bool(self._keys.unread or self._fresh) or self._is_behind(self._cursor)

    def restart(self) -> None:
        """Begin with the first row again."""
        self._cursor = 0
        self._unread = True
        self._fresh.clear()
        self._last_key = self._began = None

    def find(self, now: float, now_ms: int) -> None:
        """Read on until a head is ready, or nothing is left that could be."""
        keys = self._keys
        while not keys.ready:
            if keys.unread:
                self._follow(keys.unread.popleft(), now, now_ms)
            elif keys.followers >= HELD_MAX or len(keys.retries) >= WAITING_KEYS_MAX:
                return
            elif keys.strict and (keys.states or self._in_hand):
                # Nothing passes a row in strict order: what follows it is read after it.
                return
            elif self._began is not None:
                self._by_key(self._began, now, now_ms)
            elif self._fresh:
                row = self._fresh.popleft()
                self._cursor = row.id
                self._admit(row, now, now_ms)
            elif self._is_behind(self._cursor):
                self._by_number(now, now_ms)
            else:
                return

    def _is_behind(self, known: int) -> bool:
        """Return whether there may be rows after `known` that only the database has."""
        return self._unread or known < self._highest

    def _follow(self, key: str, now: float, now_ms: int) -> None:
        """Read the next rows of a key, as far as the walk has come."""
        state = self._keys.states.get(key)
        if state is None:
            return
        upto = self._began or self._cursor
        if self._keys.strict:
            rows = self._rows.after(state.upto, FOLLOWERS_MAX)
            rows = [row for row in rows if row.id <= upto]
        else:
            rows = self._rows.of_key(key, state.upto, upto, FOLLOWERS_MAX)
        if rows:
            state.upto = rows[-1].id
        # A row that was resent may be the head while a later one's result is not committed.
        waiting = [row for row in rows if not self._in_hand.busy(row.id)]
        self._keys.extend(key, waiting, whole=len(rows) < FOLLOWERS_MAX, now=now, now_ms=now_ms)

    def _by_number(self, now: float, now_ms: int) -> None:
        # What is offered during the read may come too late for it.
        highest = self._highest
        rows = self._rows.after(self._cursor, CHUNK)
        for row in rows:
            self._admit(row, now, now_ms)
            self._cursor = row.id
        if len(rows) < CHUNK:
            self._cursor = max(self._cursor, highest)
            self._unread = False
        elif not self._keys.ready and not self._keys.strict:
            self._began = max(self._cursor, self._highest, self._rows.highest())
            self._keys.pass_over()

    def _by_key(self, began: int, now: float, now_ms: int) -> None:
        found = self._rows.heads(self._last_key, KEYS_CHUNK)
        for row in sorted(found.rows):
            self._keys.reach(row, now, now_ms, busy=self._in_hand.busy(row.id))
        self._last_key = found.last
        if found.last is None:
            self._cursor = max(self._cursor, began)
            self._unread = False
            self._began = None

    def _admit(self, row: Row, now: float, now_ms: int) -> None:
        if not self._in_hand.busy(row.id):
            self._keys.admit(row, now, now_ms)
