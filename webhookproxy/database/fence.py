"""The shards of companies and their fences, which keep a former owner of a shard from writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import execute, insert_rows, mark
from webhookproxy.database.clock import database_clock

# A fixed number, in both databases: 6 bits of a number of an event are a shard's.
SHARDS = 64
ALL_SHARDS = frozenset(range(SHARDS))
# One process owns all shards: the lease of this one speaks for it.
SHARD = 0
# So few statements fit into the driver's cache: the last shard is named several times.
_SIZES = (1, 4, 16, SHARDS)
_LEASE_COLUMNS = ("shard", "fence", "holder", "heartbeat_at", "last_event_id", "last_delivery_id")
_TAKE_OVER = (
    "ON CONFLICT (shard) DO UPDATE SET fence = excluded.fence, holder = excluded.holder,"
    " heartbeat_at = excluded.heartbeat_at"
)


def shard_of(company_id: int) -> int:
    """Return the shard of a company, which never changes: only the owner of a shard does."""
    return company_id % SHARDS


@dataclass(frozen=True, slots=True)
class Fence:
    """Some shards, and the number that the lease of each has while one process owns it.

    A write names the shards that it is about in this way. It is refused once another process has
    taken one of them, because that raises the number.
    """

    numbers: Mapping[int, int]

    def number(self, shard: int) -> int:
        """Return the number of a shard; 0, which no lease has, if it is not among these."""
        return self.numbers.get(shard, 0)

    def of_shards(self, shards: Iterable[int]) -> Fence:
        """Return the part for these shards."""
        return Fence({shard: self.number(shard) for shard in shards})

    def of_companies(self, company_ids: Iterable[int]) -> Fence:
        """Return the part for the shards of these companies."""
        return self.of_shards({shard_of(each) for each in company_ids})

    def of_company(self, company_id: int) -> Fence:
        """Return the part for the shard of a company."""
        return self.of_shards((shard_of(company_id),))


def part_of(fence: Fence | None, company_ids: Iterable[int]) -> Fence | None:
    """Return the part for these companies; None where no other process may take over."""
    return None if fence is None else fence.of_companies(company_ids)


# What a process has before it owns anything.
NO_FENCE = Fence(dict.fromkeys(ALL_SHARDS, 0))


class Fenced(Exception):
    """Another process owns some of the named shards now (`shards`); nothing was written."""

    def __init__(self, shards: Iterable[int] = ALL_SHARDS) -> None:
        super().__init__()
        self.shards = frozenset(shards)


def lost_shards(connection: Connection, fences: Iterable[Fence]) -> list[frozenset[int]]:
    """Return for each fence which of its shards another process has taken.

    On PostgreSQL the rows are locked for the transaction, so that a new owner's claim waits for
    it; on SQLite the write lock does the same. All processes lock them in the same order.
    """
    named = list(fences)
    shards = sorted({shard for fence in named for shard in fence.numbers})
    if not shards:
        return [frozenset()] * len(named)
    size = next(each for each in _SIZES if each >= len(shards))
    marks = ", ".join([mark(connection)] * size)
    lock = " FOR SHARE" if connection.dialect.name == "postgresql" else ""
    query = f"SELECT shard, fence FROM leases WHERE shard IN ({marks}) ORDER BY shard{lock}"
    values = (*shards, *[shards[-1]] * (size - len(shards)))
    stored = dict(execute(connection, query, values).fetchall())
    return [
        frozenset(each for each, number in fence.numbers.items() if stored.get(each) != number)
        for fence in named
    ]


def take_all(connection: Connection, *, holder: str) -> tuple[Fence, frozenset[int]]:
    """Raise the fence of every shard; return it, and which shards the same process held last."""
    clock = connection.scalar(text(f"SELECT {database_clock(connection.dialect.name)}"))
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    query = f"SELECT shard, fence, holder, heartbeat_at FROM leases ORDER BY shard{lock}"
    leases = {row.shard: row for row in connection.execute(text(query))}
    whole = leases.get(SHARD)
    last = {}
    for shard in range(SHARDS):
        lease = leases.get(shard)
        # A version without shards owns all of them by this one lease.
        is_behind = lease is None or (whole is not None and lease.fence < whole.fence)
        last[shard] = whole if is_behind else lease
    # One number for all shards: pages of a version without shards compare it with this one lease's.
    number = max((row.fence for row in leases.values()), default=0) + 1
    rows = [
        (shard, number, holder, clock if row is None else row.heartbeat_at, 0, 0)
        for shard, row in last.items()
    ]
    insert_rows(connection, "leases", _LEASE_COLUMNS, rows, _TAKE_OVER)
    continued = {shard for shard, row in last.items() if row is not None and row.holder == holder}
    return Fence(dict.fromkeys(range(SHARDS), number)), frozenset(continued)
