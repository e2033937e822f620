"""A delivery that waits, as the window carries it, and where such rows are read."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from webhookproxy.delivery.outcomes.retry import REFUSED_AFTER, was_refused
from webhookproxy.models.deliveries.tables import Due

# Payloads that are read at once, in characters: the first one is read however long it is.
LOAD_CHARS = 1 << 18


class Row(NamedTuple):
    """A delivery that has not ended, without the payload; `status` is its last answer's."""

    id: int
    order_key: str
    due_ms: int | None
    tries: int = 0
    reason: str = ""
    status: int | None = None

    @property
    def refused(self) -> bool:
        """Whether the receiver's last answer was about this event alone."""
        return was_refused(self.reason, self.status)

    @property
    def kept(self) -> bool:
        """Whether it was refused often enough to be given up, had any other event passed."""
        return self.tries >= REFUSED_AFTER and self.refused and self.status != 500


class Heads(NamedTuple):
    """The first rows of some keys, and the last key that was looked at; None: of all there are."""

    rows: list[Row]
    last: str | None


class Rows(Protocol):
    """Where the window reads rows that are not in memory."""

    def after(self, delivery_id: int, limit: int) -> list[Row]:
        """Return the next rows after one."""

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Row]:
        """Return the next rows of an ordering key, after one row and up to another."""

    def heads(self, after: str | None, limit: int) -> Heads:
        """Return the first row of each of the next keys after one, or from the first key on."""

    def highest(self) -> int:
        """Return the number of the newest row; 0 without one."""

    def load(self, ids: list[int]) -> list[Due]:
        """Return those of these rows that have not ended, with payloads, in order.

        At least the first if it has not ended; of the others as many as are not too long.
        """
