"""Who owns each shard of companies, as the leases say it to any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import database_clock
from webhookproxy.database.fence import ALL_SHARDS, shard_of, shares_of
from webhookproxy.database.ownership.lease import HEARTBEAT_MS
from webhookproxy.models import Lease


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a shard: its fence, its name, and the age of its last heartbeat.

    `failing_since`: it cannot store its events since then.
    """

    fence: int
    holder: str
    heartbeat_at: datetime | None
    silent_ms: int | None
    failing_since: datetime | None

    @property
    def alive(self) -> bool:
        """Return whether it was heard of in the last ten seconds."""
        return self.silent_ms is not None and self.silent_ms <= HEARTBEAT_MS


# Of a shard that never had an owner; no lease has this fence.
NO_OWNER = Owner(0, "", None, None, None)


@dataclass(frozen=True)
class Owners:
    """The owners of all shards that ever had one, by shard."""

    by_shard: Mapping[int, Owner]

    def of(self, company_id: int) -> Owner:
        """Return the owner of a company's shard."""
        return self.by_shard.get(shard_of(company_id), NO_OWNER)

    @cached_property
    def missing(self) -> frozenset[int]:
        """The shards without a living owner."""
        return ALL_SHARDS - {shard for shard, each in self.by_shard.items() if each.alive}

    @property
    def seen_ms(self) -> int | None:
        """The age of the oldest heartbeat; None if a shard never had an owner."""
        ages = [each.silent_ms for each in self.by_shard.values() if each.silent_ms is not None]
        return max(ages) if len(ages) == len(ALL_SHARDS) else None

    @property
    def heard_at(self) -> datetime | None:
        """When the first owner of the missing shards fell silent; None if none ever spoke."""
        owners = (self.by_shard.get(each, NO_OWNER) for each in self.missing)
        return min((each.heartbeat_at for each in owners if each.heartbeat_at), default=None)

    @property
    def failing_since(self) -> datetime | None:
        """Since when an owner cannot store its events; None if all can."""
        since = (each.failing_since for each in self.by_shard.values())
        return min((each for each in since if each), default=None)

    def shares(self, least: int) -> int:
        """Return into how many shares the companies are divided, at least into so many.

        A process that serves pages only may have been started without the setting.
        """
        count = least
        while any(len(self._holders(each.shards)) > 1 for each in shares_of(count)):
            count *= 2
        return count

    def held_by(self, name: str) -> frozenset[int]:
        """Return the shards whose lease names this process."""
        return frozenset(shard for shard, each in self.by_shard.items() if each.holder == name)

    def _holders(self, shards: frozenset[int]) -> set[str]:
        return {self.by_shard.get(each, NO_OWNER).holder for each in shards}


def read_owners(session: Session) -> Owners:
    """The owners as the database knows them now."""
    clock = database_clock(session.connection().dialect.name)
    columns: tuple[Any, ...] = (
        Lease.shard,
        Lease.fence,
        Lease.holder,
        Lease.heartbeat_at,
        literal_column(f"{clock} - leases.heartbeat_at"),
        Lease.failing_since,
    )
    return Owners({shard: Owner(*rest) for shard, *rest in session.execute(select(*columns))})
