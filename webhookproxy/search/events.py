"""Reads the events table: the events that are not indexed yet, or all for an empty question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import gevent
from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.search.index.writing import chunks
from webhookproxy.search.lists import Span, nearest

# Rows of one step, without their payloads and with them.
_ROWS = 2_000
_PAYLOADS = 250
# Rows that are counted in one step.
_COUNTED = 2_000
# Up to this number, each company is asked for its own events.
_FEW = 20
# Events that are read to find those of many companies.
_LOOK_THROUGH = 10_000


def first_of_newest(session: Session, after: int, most: int) -> int:
    """Return the id from which on there are `most` events; the next id after `after` if fewer."""
    query = text("SELECT id FROM events WHERE id > :after ORDER BY id DESC LIMIT 1 OFFSET :most")
    found = session.execute(query, {"after": after, "most": most - 1}).scalar()
    return after + 1 if found is None else int(found)


def count_between(session: Session, after: int, before: int, most: int) -> int:
    """Return how many events lie between two ids, `most` at most."""
    found = 0
    query = text("SELECT id FROM events WHERE id > :after AND id < :before ORDER BY id LIMIT :rows")
    while found < most:
        given = {"after": after, "before": before, "rows": _COUNTED}
        ids = session.execute(query, given).scalars().all()
        found += len(ids)
        if len(ids) < _COUNTED:
            break
        after = ids[-1]
        gevent.sleep(0)
    return min(found, most)


def still_there(session: Session, ids: Collection[int], companies: Collection[int]) -> set[int]:
    """Return the ids of events that still exist and belong to these companies."""
    found: set[int] = set()
    for some in chunks(ids):
        # Companies are compared here: the database would try each id with each company.
        query = text(f"SELECT id, company_id FROM events WHERE id IN ({numbers(some)})")
        found.update(row.id for row in session.execute(query) if row.company_id in companies)
    return found


def of_companies(session: Session, companies: Collection[int], span: Span, most: int) -> list[int]:
    """Return the `most` nearest events of these companies."""
    if not companies:
        return []
    if len(companies) > _FEW:
        found = _looked_through(session, companies, span, most)
        if found is not None:
            return found
    rows = nearest(session, "events", ("company_id", "id"), sorted(companies), span, most)
    return span.sorted([event_id for _, event_id in rows])[:most]


def _looked_through(
    session: Session, companies: Collection[int], span: Span, most: int
) -> list[int] | None:
    """Return the same from the events of all companies; None if theirs are rare there."""
    query = text(
        "SELECT id, company_id FROM events WHERE id >= :low AND id <= :high"
        f" ORDER BY id {span.order} LIMIT {_ROWS}"
    )
    found: list[int] = []
    for _ in range(_LOOK_THROUGH // _ROWS):
        rows = session.execute(query, span.ends).all()
        found += [row.id for row in rows if row.company_id in companies]
        if len(found) >= most or len(rows) < _ROWS:
            return found[:most]
        span = span.beyond(rows[-1].id)
        gevent.sleep(0)
    return None


def matching(
    session: Session,
    companies: Collection[int],
    span: Span,
    matches: Callable[[str, str, str], bool],
) -> Iterator[int]:
    """Yield the events whose name, ordering key and payload match, the nearest first."""
    query = text(
        "SELECT id, name, order_key, payload FROM events WHERE id >= :low AND id <= :high"
        f" AND company_id IN ({numbers(companies)}) ORDER BY id {span.order} LIMIT {_PAYLOADS}"
    )
    while span.low <= span.high:
        rows = session.execute(query, span.ends).all()
        yield from (row.id for row in rows if matches(row.name, row.order_key, row.payload))
        if len(rows) < _PAYLOADS:
            return
        span = span.beyond(rows[-1].id)
        gevent.sleep(0)
