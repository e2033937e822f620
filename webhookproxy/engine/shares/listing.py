"""The shares of the installation, as any process can list them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.fence import Share, shares_of
from webhookproxy.engine.owners import NO_OWNER, Owner, Owners

_COMPANIES = text(
    "SELECT id % :count AS number, COUNT(*) AS companies FROM companies"
    " WHERE deleted_at IS NULL GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A share, how many companies it has, and who owns it or did last.

    `last` is the owner of its shards that was silent for longest.
    """

    share: Share
    companies: int
    last: Owner

    @property
    def owner(self) -> str | None:
        """Return the name of the process that owns it; None if no living one does."""
        return self.last.holder if self.last.alive else None

    @property
    def seen_ms(self) -> int | None:
        """How long ago that owner last said so, in milliseconds; None if none ever did."""
        return None if self.last.silent_ms is None else max(0, self.last.silent_ms)


def list_shares(session: Session, owners: Owners, count: int) -> list[Listed]:
    """Return all shares of an installation that has `count`, in the order of their numbers."""
    found = session.execute(_COMPANIES, {"count": count})
    companies = {row.number: row.companies for row in found}
    return [
        Listed(each, companies.get(each.number, 0), _most_silent(owners, each))
        for each in shares_of(count)
    ]


def _most_silent(owners: Owners, share: Share) -> Owner:
    found = [owners.by_shard.get(each, NO_OWNER) for each in share.shards]
    return max(found, key=lambda each: math.inf if each.silent_ms is None else each.silent_ms)
