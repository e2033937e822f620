"""Whether a server runs that does what a command asks for."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from webhookproxy.database.fence import ALL_SHARDS
from webhookproxy.engine.owners import read_owners

# Companies that are named; of the others the number is said.
NAMED_MAX = 5


def unserved(session: Session, company_ids: Iterable[int]) -> str | None:
    """Return for whom no server runs, to follow "No server is running"; None if one does for all.

    It is empty if no server at all runs, and else names those companies.
    """
    owners = read_owners(session)
    left = [each for each in sorted(set(company_ids)) if not owners.of(each).alive]
    if not left or owners.missing == ALL_SHARDS:
        return "" if left else None
    names = ", ".join(f"company_{each}" for each in left[:NAMED_MAX])
    more = len(left) - NAMED_MAX
    return f" for {names}" + (f" and {more} more" if more > 0 else "")
