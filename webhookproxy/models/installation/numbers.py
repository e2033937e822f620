"""The numbers of events and deliveries: a time, the shard of who gives them, and a sequence.

41 bits of milliseconds since 2026 reach into the year 2095, 6 bits name one of 64 shards, and 6
bits count within a millisecond: a burst goes on in the next ones. So no two owners of sockets give
the same number, those of all owners are nearly in the order of time, and with 53 bits none is too
large for a program that counts in floating point. Numbers of earlier versions, which counted from
1, are lower than all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

EPOCH_MS = 1_767_225_600_000
_SEQUENCE_BITS = 6
_TIME_SHIFT = 12
_SEQUENCE = (1 << _SEQUENCE_BITS) - 1
_NEXT_MS = 1 << _TIME_SHIFT


def floor(now_ms: int, shard: int) -> int:
    """Return the number that comes before all that a shard gives from this moment on."""
    return (max(0, now_ms - EPOCH_MS) << _TIME_SHIFT) | (shard << _SEQUENCE_BITS)


def floor_above(number: int, shard: int) -> int:
    """Return a number of a shard that is above a number of any shard, and that is not given."""
    return ((number >> _TIME_SHIFT) + 1 << _TIME_SHIFT) | (shard << _SEQUENCE_BITS)


def span(milliseconds: int) -> int:
    """Return how far two numbers are apart that were given at two such times."""
    return milliseconds << _TIME_SHIFT


def after(number: int) -> int:
    """Return the next number of the same shard."""
    number += 1
    # The sequence is full: the shard's bits stay, and the next millisecond begins.
    return number if number & _SEQUENCE else number - _SEQUENCE - 1 + _NEXT_MS


class Counting:
    """The last number that a shard gave."""

    def __init__(self, shard: int, clock: Callable[[], float]) -> None:
        self.last = 0
        self._shard = shard
        self._clock = clock

    def go_above(self, number: int) -> None:
        """Go on above a number, if it is higher than the last."""
        if number > self.last:
            self.last = floor_above(number, self._shard)

    def catch_up(self) -> None:
        """Go on with the numbers of this moment, or with the last if the clock went back."""
        self.last = max(self.last, floor(round(self._clock() * 1000), self._shard))

    def following(self) -> Iterator[int]:
        """Yield the next numbers, without end; they count as given once `take` was called."""
        return following(self.last)

    def take(self, ids: Iterable[int]) -> None:
        """Count these numbers as given, and all that come before them."""
        self.last = max((self.last, *ids))


def following(number: int) -> Iterator[int]:
    """Yield the numbers that a shard gives after one of its own, without end."""
    while True:
        number = after(number)
        yield number
