"""The shards of companies and their fences, which keep a former owner of a shard from writing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from webhookproxy.config import process_settings
from webhookproxy.database.bulk import execute, insert_rows, mark, numbers
from webhookproxy.database.clock import database_clock

# A fixed number, in both databases: 6 bits of a number of an event are a shard's.
SHARDS = process_settings.SHARDS
ALL_SHARDS = frozenset(range(SHARDS))
# What belongs to the installation as a whole is done by the owner of this one.
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
class Share:
    """Some of the shards, which one process owns together: every `count`-th one from `number` on.

    `count`, the number of shares, divides the number of shards.
    """

    number: int = 0
    count: int = 1

    @property
    def is_whole(self) -> bool:
        """Return whether these are all shards."""
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """Return whether its owner does what belongs to the installation as a whole."""
        return self.number == SHARD

    @property
    def shards(self) -> frozenset[int]:
        """Return the shards; the one with the share's number speaks for all of them."""
        return frozenset(range(self.number, SHARDS, self.count))

    def __str__(self) -> str:
        """Return how log lines name it."""
        if self.is_whole:
            return "the sockets"
        return f"the sockets of share {self.number} of {self.count}"

    def has(self, company_id: int) -> bool:
        """Return whether a company is in it."""
        return company_id % self.count == self.number

    def where(self, column: str) -> str:
        """Return the SQL that chooses the rows of its companies, to follow another condition."""
        return "" if self.is_whole else f" AND {column} % {self.count} = {self.number}"


WHOLE = Share()


def shares_of(count: int) -> list[Share]:
    """Return all shares of an installation that has so many."""
    return [Share(number, count) for number in range(count)]


def shares_with(shards: Collection[int], count: int) -> list[int]:
    """Return the numbers of the shares, of so many, that have any of these shards."""
    return [each.number for each in shares_of(count) if not each.shards.isdisjoint(shards)]


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


def take(connection: Connection, share: Share, *, holder: str) -> tuple[Fence, frozenset[int]]:
    """Raise the fence of every shard of a share.

    Returns the fence, and which of the shards the same process held last.
    """
    clock = connection.scalar(text(f"SELECT {database_clock(connection.dialect.name)}"))
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    columns = "SELECT shard, fence, holder, heartbeat_at FROM leases"
    shards = sorted(share.shards)
    query = f"{columns} WHERE shard IN ({numbers(shards)}) ORDER BY shard{lock}"
    leases = {row.shard: row for row in connection.execute(text(query))}
    # A version without shards owned all of them by the lease of the first one.
    first = connection.execute(text(f"{columns} WHERE shard = {SHARD}")).first()
    last = {shard: leases.get(shard, first) for shard in shards}
    number = max((row.fence for row in last.values() if row is not None), default=0) + 1
    rows = [
        (shard, number, holder, clock if row is None else row.heartbeat_at, 0, 0)
        for shard, row in last.items()
    ]
    insert_rows(connection, "leases", _LEASE_COLUMNS, rows, _TAKE_OVER)
    continued = {shard for shard, row in last.items() if row is not None and row.holder == holder}
    return Fence(dict.fromkeys(shards, number)), frozenset(continued)
