"""Reads the events themselves: those that are not indexed yet, and all when nothing is typed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import gevent
from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.search.index.writing import chunks
from webhookproxy.search.lists import Span

# Read by their numbers in one step, without their payloads and with them.
_ROWS = 2_000
_PAYLOADS = 250
# Companies that are asked one by one; for more it is looked through all events first.
_FEW = 20
# Selects in one UNION: SQLite takes 500.
_PARTS_MAX = 100
# Events that are looked through for companies that are few among many.
_LOOK_THROUGH = 10_000


def newest_event(session: Session) -> int:
    """The highest id there is, or 0."""
    return int(session.execute(text("SELECT COALESCE(MAX(id), 0) FROM events")).scalar_one())


def oldest_event(session: Session) -> int:
    """The lowest id there is, or 0."""
    return int(session.execute(text("SELECT COALESCE(MIN(id), 0) FROM events")).scalar_one())


def still_there(session: Session, ids: Collection[int], companies: Collection[int]) -> set[int]:
    """Those of the events that were not removed and are of these companies."""
    found: set[int] = set()
    for some in chunks(ids):
        # Not narrowed to companies here: the database would try each with each.
        query = text(f"SELECT id, company_id FROM events WHERE id IN ({numbers(some)})")
        found.update(row.id for row in session.execute(query) if row.company_id in companies)
    return found


def of_companies(session: Session, companies: Collection[int], span: Span, most: int) -> list[int]:
    """The nearest events of these companies."""
    if not companies:
        return []
    if len(companies) > _FEW:
        found = _looked_through(session, companies, span, most)
        if found is not None:
            return found
    order = "ASC" if span.ascending else "DESC"
    ids: list[int] = []
    for some in chunks(sorted(companies), _PARTS_MAX):
        parts = " UNION ALL ".join(
            f"SELECT * FROM (SELECT id FROM events WHERE company_id = {int(each)} AND id >= :low"
            f" AND id <= :high ORDER BY id {order} LIMIT :most) p"
            for each in some
        )
        given = {"low": span.low, "high": span.high, "most": most}
        ids += session.execute(text(parts), given).scalars()
        gevent.sleep(0)
    return sorted(ids, reverse=not span.ascending)[:most]


def _looked_through(
    session: Session, companies: Collection[int], span: Span, most: int
) -> list[int] | None:
    """The same by going through the events of all companies; None if they are rare there."""
    order = "ASC" if span.ascending else "DESC"
    query = text(
        "SELECT id, company_id FROM events WHERE id >= :low AND id <= :high"
        f" ORDER BY id {order} LIMIT {_ROWS}"
    )
    found: list[int] = []
    for _ in range(_LOOK_THROUGH // _ROWS):
        rows = session.execute(query, {"low": span.low, "high": span.high}).all()
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
    """The events in this span whose name, ordering key and payload match, the nearest first."""
    order = "ASC" if span.ascending else "DESC"
    query = text(
        "SELECT id, name, order_key, payload FROM events WHERE id >= :low AND id <= :high"
        f" AND company_id IN ({numbers(companies)}) ORDER BY id {order} LIMIT {_PAYLOADS}"
    )
    while span.low <= span.high:
        rows = session.execute(query, {"low": span.low, "high": span.high}).all()
        yield from (row.id for row in rows if matches(row.name, row.order_key, row.payload))
        if len(rows) < _PAYLOADS:
            return
        span = span.beyond(rows[-1].id)
        gevent.sleep(0)
