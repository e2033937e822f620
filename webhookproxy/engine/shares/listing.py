"""The shares of the installation, as any process can list them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.fence import Share, shares_of
from webhookproxy.database.ownership.lease import HEARTBEAT_MS
from webhookproxy.engine.owners import NO_OWNER, Owners

_COMPANIES = text(
    "SELECT id % :count AS number, COUNT(*) AS companies FROM companies"
    " WHERE deleted_at IS NULL GROUP BY 1"
)


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


def list_shares(session: Session, owners: Owners, count: int) -> list[Listed]:
    """Return all shares of an installation that has `count`, in the order of their numbers."""
    found = session.execute(_COMPANIES, {"count": count})
    companies = {row.number: row.companies for row in found}
    return [_listed(each, companies.get(each.number, 0), owners) for each in shares_of(count)]


def _listed(share: Share, companies: int, owners: Owners) -> Listed:
    """Return a share by the owners of its shards, of which the most silent one counts."""
    found = [owners.by_shard.get(each, NO_OWNER) for each in share.shards]
    oldest = max(found, key=lambda each: math.inf if each.silent_ms is None else each.silent_ms)
    seen_ms = None if oldest.silent_ms is None else max(0, oldest.silent_ms)
    return Listed(share, companies, oldest.holder or None, seen_ms)
