"""Runs with a piece of work and runs without it, beside each other on one machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import permutations
from typing import NamedTuple


class Difference(NamedTuple):
    """How much more the runs with it cost, and what the runs without it cost.

    `band` is the same difference between two halves of the runs without: what the machine adds.
    """

    more: float
    band: float
    plain: float


def difference(run: Callable[[bool], float], rounds: int) -> Difference:
    """Return what `run` costs more if it is told True; the medians of the runs count."""
    costs: dict[str, list[float]] = {"without": [], "with": [], "without again": []}
    for number in range(rounds * len(costs)):
        # Each follows each of the others equally often.
        names = list(permutations(costs))[number // len(costs) % 6]
        name = names[number % len(costs)]
        costs[name].append(run(name == "with"))
    medians = {name: statistics.median(found) for name, found in costs.items()}
    plain = statistics.median(costs["without"] + costs["without again"])
    band = abs(medians["without"] - medians["without again"])
    return Difference(medians["with"] - plain, band, plain)
