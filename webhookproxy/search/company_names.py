"""Finds companies by a name as people type it."""

from __future__ import annotations

import gevent
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.models import Company
from webhookproxy.search.typed import has_all

# Names that are compared before the sockets get their turn.
_AT_ONCE = 1_000


def companies_named(session: Session, typed: str) -> list[int]:
    """Return the numbers of all companies with such a name, or with this 3C Plus id.

    Names are compared here: SQLite does not know that "São" and "SAO" are alike.
    """
    query = select(Company.id, Company.name, Company.threec_id).where(Company.deleted_at.is_(None))
    found: list[int] = []
    for count, row in enumerate(session.execute(query), 1):
        if row.threec_id == typed or has_all(typed, row.name):
            found.append(row.id)
        if count % _AT_ONCE == 0:
            gevent.sleep(0)
    return found
