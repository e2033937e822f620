"""How long a trial with calls is, and its companies."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """How long a trial is; times are in seconds.

    `flood` is the number of calls in the first hole of the first company.
    """

    cuts: int
    kills: int
    flood: int
    rate: float
    looks: tuple[float, float, float]
    pace: float
    late: float
    pauses: tuple[float, float]
    settle: float

    @property
    def hurried(self) -> str:
        """The times as the server is told them."""
        return ",".join(map(str, (*self.looks, self.pace)))


SHORT = Plan(2, 1, 40, 5.0, (0.3, 0.6, 1.2), 0.05, 0.5, (0.1, 0.4), 120.0)
LONG = Plan(10, 5, 3_000, 1.0, (5.0, 20.0, 60.0), 0.5, 20.0, (3.0, 10.0), 1_200.0)
# Calls of each company that its socket brings after they were recovered.
AGAIN = 3


@dataclass
class Company:
    """One company: its calls, and what its webhooks got of them."""

    token: str
    number: int
    # The webhooks by number, and whether each takes recovered calls.
    webhooks: dict[int, bool] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    # For each webhook, the ids of the events by the id of their history.
    got: dict[int, defaultdict[str, set[str]]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    # Calls that the socket brought after they were recovered.
    again: frozenset[str] = frozenset()
