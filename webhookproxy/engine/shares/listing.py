"""The shares of the installation, as any process can list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.clock import database_clock
from webhookproxy.database.fence import Share, shares_of
from webhookproxy.database.ownership.lease import HEARTBEAT_MS

_COMPANIES = text(
    "SELECT id % :count AS number, COUNT(*) AS companies FROM companies"
    " WHERE deleted_at IS NULL GROUP BY 1"
)
_LEASES = "SELECT shard, holder, {now} - heartbeat_at AS age FROM leases"


@dataclass(frozen=True, slots=True)
class Listed:
    """A share, how many companies it has, and the process that owns it or did last.

    `seen_ms` is how long ago that process last said so, in milliseconds; None if none ever did.
    """

    share: Share
    companies: int
    holder: str | None
    seen_ms: int | None

    @property
    def owner(self) -> str | None:
        """Return the name of the process that owns it; None if no living one does."""
        is_alive = self.seen_ms is not None and self.seen_ms <= HEARTBEAT_MS
        return self.holder if is_alive else None


def list_shares(session: Session, count: int) -> list[Listed]:
    """Return all shares of an installation that has `count`, in the order of their numbers."""
    query = text(_LEASES.format(now=database_clock(session.connection().dialect.name)))
    leases = {row.shard: row for row in session.execute(query)}
    found = session.execute(_COMPANIES, {"count": count})
    companies = {row.number: row.companies for row in found}
    return [
        _listed(share, companies.get(share.number, 0), [leases.get(each) for each in share.shards])
        for share in shares_of(count)
    ]


def _listed(share: Share, companies: int, leases: Sequence[Any]) -> Listed:
    """Return a share by the leases of its shards, of which the most silent one counts."""
    if None in leases:
        return Listed(share, companies, None, None)
    oldest = max(leases, key=lambda each: each.age)
    return Listed(share, companies, oldest.holder, max(0, oldest.age))
