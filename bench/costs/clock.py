"""The time that a piece of work takes."""

from __future__ import annotations

import time
from collections.abc import Callable

_ROUNDS = 9


def microseconds(work: Callable[[], object], repeats: int) -> float:
    """Return what `work` takes, on average of `repeats` calls, in the quickest of some rounds."""
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(repeats):
            work()
        rounds.append((time.perf_counter() - began) / repeats * 1e6)
    # Other programs on the machine can only add time.
    return min(rounds)
