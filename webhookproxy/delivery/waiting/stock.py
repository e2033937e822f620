"""Payloads at hand for the next requests, bounded in characters."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from webhookproxy.delivery.waiting.rows import LOAD_CHARS, Rows
from webhookproxy.models.deliveries.tables import Due

# Characters of payload that all lanes of a process may keep in memory for deliveries that are not
# being sent yet. Whatever is beyond it is read from the database when its turn comes.
STOCK_CHARS = 8 << 20
# Rows that are read at once; fewer, if one of the last was so long that these would be too much.
LOAD_MAX = 32


class Budget:
    """Characters that several stocks share."""

    def __init__(self, chars: int = STOCK_CHARS) -> None:
        self.left = chars


class Stock:
    """The deliveries of one lane whose payloads are in memory."""

    def __init__(self, rows: Rows, budget: Budget) -> None:
        self._rows = rows
        self._budget = budget
        self._dues: dict[int, Due] = {}
        self._at_once = LOAD_MAX

    def put(self, due: Due) -> None:
        """Keep a delivery that is sent soon, if there is room for it."""
        chars = len(due.facts.payload)
        if chars <= self._budget.left and due.id not in self._dues:
            self._budget.left -= chars
            self._dues[due.id] = due

    def take(self, delivery_id: int, next_ids: Iterable[int]) -> Due | None:
        """Return a delivery with its payload, or None if it has ended.

        If it must be read, those of `next_ids` with higher numbers are read along.
        """
        if (due := self._pop(delivery_id)) is not None:
            return due
        later = (each for each in next_ids if each > delivery_id and each not in self._dues)
        ids = sorted({delivery_id, *islice(later, self._at_once - 1)})
        first, longest = None, 1
        for due in self._rows.load(ids):
            longest = max(longest, len(due.facts.payload))
            if due.id == delivery_id:
                first = due
            else:
                self.put(due)
        self._at_once = min(LOAD_MAX, max(1, LOAD_CHARS // longest))
        return first

    def clear(self) -> None:
        """Keep nothing of what is at hand."""
        for delivery_id in list(self._dues):
            self._pop(delivery_id)

    def close(self) -> None:
        """Keep nothing from now on."""
        self.clear()
        self._budget = Budget(0)

    def _pop(self, delivery_id: int) -> Due | None:
        due = self._dues.pop(delivery_id, None)
        if due is not None:
            self._budget.left += len(due.facts.payload)
        return due
