"""The rows that are being sent, and those that were and whose result is not committed yet."""

from __future__ import annotations


class InHand:
    """Every row that is taken comes back by give_back(), then settle()."""

    def __init__(self) -> None:
        # Rows whose result is not committed.
        self.unsettled: set[int] = set()
        # Rows that were being sent when a user changed rows: some before them may wait now.
        self.doubted: set[int] = set()
        self._sending: dict[int, str] = {}

    def __bool__(self) -> bool:
        return bool(self._sending)

    def take(self, delivery_id: int, key: str) -> None:
        """Count a row of a key as being sent."""
        self._sending[delivery_id] = key

    def give_back(self, delivery_id: int) -> str:
        """Count a row as sent, and return its key."""
        self.unsettled.add(delivery_id)
        return self._sending.pop(delivery_id)

    def settle(self, delivery_id: int) -> None:
        """Forget a row: its result is committed."""
        self.unsettled.discard(delivery_id)

    def doubt(self) -> None:
        """Remember what is being sent now."""
        self.doubted.update(self._sending)

    def busy(self, delivery_id: int) -> bool:
        """Return whether a row is being sent, or was and its result is not committed yet."""
        return delivery_id in self._sending or delivery_id in self.unsettled

    def has_key(self, key: str) -> bool:
        """Return whether a row of this key is being sent."""
        return key in self._sending.values()

    def all(self) -> list[int]:
        """Return the rows that are being sent, or whose result is not committed."""
        return [*self._sending, *self.unsettled]

    def heads(self) -> dict[str, int]:
        """Return the keys of what is being sent, each with its row.

        Of two rows of one key the later one is a probe that overtook: the other is the head.
        """
        return {
            key: delivery_id for delivery_id, key in sorted(self._sending.items(), reverse=True)
        }
