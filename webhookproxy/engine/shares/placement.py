"""Which shares this process takes: its part of them, and those that no one else takes.

With one share, which has all companies, one process owns it and the others wait. With several, each
process that takes part has its part of them: it takes those that are free, and asks another process
that has at least two more for one of them, one after the other.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from math import ceil

from sqlalchemy import Engine, text

from webhookproxy.database.clock import database_clock, ms_now
from webhookproxy.database.fence import SHARDS
from webhookproxy.database.ownership.lease import HEARTBEAT_MS
from webhookproxy.engine.processes.listing import SILENT_MS
from webhookproxy.models.installation.processes import Role

# Seconds between two looks at what others have.
PAUSE = 2.0
# How long a share stays with those that have less than their part, before others take it too.
PATIENCE = 1.5
# The same for a place that an owner offers: it waits for a successor for 1.5 s.
FOLLOW_PATIENCE = 0.3
# A wish of an administrator counts for this time.
WANTED_MS = 60_000

_LIVING = text("SELECT name FROM processes WHERE role <> :pages AND seen_at > :least")
_OWNERS = "SELECT shard, holder FROM leases WHERE shard < :count AND {now} - heartbeat_at <= :most"
_WANTED = "SELECT shard, wanted FROM handovers WHERE {now} - wanted_at <= :most"


class Placement:
    """What this process has, and what it should have.

    `taken` returns the numbers of the shares that it owns or is about to.
    """

    pause = PAUSE

    def __init__(
        self,
        reading: Engine,
        holder: str,
        count: int,
        shards_max: int,
        taken: Callable[[], Iterable[int]],
    ) -> None:
        self.holder = holder
        # The share that another process is asked for; None while none is.
        self.asked: int | None = None
        self._reading = reading
        self._count = count
        self._most = shards_max * count // SHARDS
        self._part = self._most
        self._taken = taken
        # The shares that are being tried, and when those beyond this process's part were last.
        self._trying: set[int] = set()
        self._tried: dict[int, float] = {}
        self._now = database_clock(reading.dialect.name)

    @property
    def takes_part(self) -> bool:
        """Return whether this process may own a share; one that may not serves pages only."""
        return self._most > 0

    def take(self, number: int, attempt: Callable[[], bool]) -> bool:
        """Try to take a share, if this process may; return whether it has it now."""
        if not self._may_take(number):
            return False
        self._trying.add(number)
        try:
            return attempt()
        finally:
            self._trying.discard(number)

    def may_follow(self, number: int, offered_for: float) -> bool:
        """Return whether it may follow an owner, who offers its place for `offered_for` seconds."""
        have = self._have()
        if number == self.asked or len(have) < self._part:
            return True
        return len(have) < self._most and offered_for >= FOLLOW_PATIENCE

    def step(self) -> bool:
        """Look how many processes share the work, and who has too much; return if one is asked."""
        if self._count == 1 or not self.takes_part:
            return False
        given = {"pages": Role.PAGES.value, "least": ms_now() - SILENT_MS}
        with self._reading.connect() as connection:
            living = set(connection.execute(_LIVING, given).scalars())
            query = text(_OWNERS.format(now=self._now))
            owners = connection.execute(query, {"count": self._count, "most": HEARTBEAT_MS}).all()
            query = text(_WANTED.format(now=self._now))
            rows = connection.execute(query, {"most": WANTED_MS})
            wanted: dict[int, str] = {row.shard: row.wanted for row in rows}
        self._part = min(self._most, ceil(self._count / len(living | {self.holder})))
        shares: defaultdict[str, list[int]] = defaultdict(list)
        for number, holder in owners:
            if holder != self.holder:
                shares[holder].append(number)
        self.asked = self._choose(shares, sorted(living), wanted)
        return self.asked is not None

    def _may_take(self, number: int) -> bool:
        have = self._have()
        if number in have or len(have) < self._part:
            return True
        now = time.monotonic()
        since = self._tried.setdefault(number, now)
        if len(have) >= self._most or now - since < PATIENCE:
            return False
        self._tried[number] = now
        return True

    def _choose(
        self, shares: dict[str, list[int]], living: list[str], wanted: dict[int, str]
    ) -> int | None:
        have = self._have()
        for number, holder in wanted.items():
            if holder == self.holder and number not in have:
                return number
        richest = max(shares.items(), key=lambda each: (len(each[1]), each[0]), default=None)
        if richest is None or len(have) >= self._part:
            return None
        numbers = sorted(set(richest[1]) - wanted.keys(), reverse=True)
        if len(numbers) < len(have) + 2:
            return None
        # Not the one that another process asks for at the same time.
        place = living.index(self.holder) if self.holder in living else 0
        return numbers[place % len(numbers)]

    def _have(self) -> set[int]:
        return self._trying.union(self._taken())
