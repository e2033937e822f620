"""Counts of what this process did since it started, cheap enough for every event."""

from __future__ import annotations

# Durations of 2^22 ms (70 minutes) and longer share the last place.
PLACES = 24


class Durations:
    """Counts durations by powers of two: place n has those below 2^n milliseconds."""

    __slots__ = ("counts", "total_ms")

    def __init__(self) -> None:
        self.counts = [0] * PLACES
        self.total_ms = 0

    def add(self, milliseconds: int) -> None:
        """Count a duration."""
        place = milliseconds.bit_length()
        self.counts[place if place < PLACES else PLACES - 1] += 1
        self.total_ms += milliseconds

    def add_all(self, others: Durations) -> None:
        """Count all durations that others counted."""
        self.counts = [a + b for a, b in zip(self.counts, others.counts, strict=True)]
        self.total_ms += others.total_ms
