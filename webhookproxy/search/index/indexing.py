"""Indexes events and removes them, in one transaction of the index each time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import numbers
from webhookproxy.models.events import newest_event
from webhookproxy.search.index.place import SearchPlace, Work
from webhookproxy.search.index.tables import table
from webhookproxy.search.index.writing import Found, chunks
from webhookproxy.search.terms import terms_of

logger = logging.getLogger(__name__)

# Events read in one statement: a payload may have a megabyte.
_READ = 50
# Reading takes this share of the time of a step; writing must end in time too.
_READING_SHARE = 0.4
# Events that one step of a sweep compares.
SWEPT = 1_000
# One step of fill(): seconds, and events.
_FILL_SECONDS = 1.0
_FILL_MOST = 20_000

_COLUMNS = "SELECT id, public_id, company_id, name, payload, order_key FROM events"
_NEXT = text(f"{_COLUMNS} WHERE id > :after ORDER BY id LIMIT :most")


def index_next(work: Work, seconds: float, most: int) -> tuple[int, int]:
    """Index the events after the cursor for about `seconds`; return how many, and the cursor."""
    until = time.perf_counter() + seconds * _READING_SHARE
    found: list[Found] = []
    after, seal = work.state.cursor, work.state.seal
    while len(found) < most:
        given = {"after": after, "most": min(_READ, most - len(found))}
        rows = work.events.execute(_NEXT, given).all()
        found += [_found(row) for row in rows]
        if rows:
            after, seal = rows[-1].id, rows[-1].public_id
        if len(rows) < given["most"] or time.perf_counter() > until:
            break
    work.writer.add(work.connection, work.state, found)
    work.state.cursor, work.state.seal = after, seal
    return len(found), after


def pass_over(work: Work) -> int:
    """Leave the next event out; return the cursor."""
    row = work.events.execute(_NEXT, {"after": work.state.cursor, "most": 1}).first()
    if row is not None:
        work.writer.add_without_terms(work.connection, [row.id])
        work.state.cursor, work.state.seal = row.id, row.public_id
    return work.state.cursor


def fill(place: SearchPlace, tell: Callable[[int, int], object] = lambda *_: None) -> int:
    """Index every event that exists when called; return how many.

    Works beside a running server too: each step continues where the last step of any process
    ended. After each, `tell` gets the highest indexed event and the highest of all. Raises
    DBAPIError.
    """
    done = 0
    newest = place.run(lambda work: newest_event(work.events))
    cursor = place.run(lambda work: work.state.cursor)
    while cursor < newest:
        count, cursor = place.run(lambda work: index_next(work, _FILL_SECONDS, _FILL_MOST))
        done += count
        tell(cursor, newest)
    return done


def index_again(work: Work, ids: Collection[int]) -> None:
    """Index removed events as they are now, except those that the indexer has not reached yet."""
    _index(work, (each for each in ids if each <= work.state.cursor))


def _index(work: Work, ids: Iterable[int]) -> None:
    for some in chunks(ids, _READ):
        query = text(f"{_COLUMNS} WHERE id IN ({numbers(some)}) ORDER BY id")
        found = [_found(row) for row in work.events.execute(query)]
        work.writer.add(work.connection, work.state, found)


def remove_gone(work: Work, ids: Iterable[int]) -> None:
    """Remove the events that are no longer stored."""
    for some in chunks(ids):
        query = text(f"SELECT id FROM events WHERE id IN ({numbers(some)})")
        there = set(work.events.execute(query).scalars())
        gone = [each for each in some if each not in there]
        if gone:
            work.writer.remove(work.connection, work.state, gone)


def sweep(work: Work, after: int, most: int = SWEPT, *, left_out: bool = False) -> int | None:
    """Compare the next `most` events with the index; return the last of them, or None at the end.

    What is no longer stored is removed from the index. What is stored and not indexed was committed
    after events with higher numbers, which another owner of sockets gave: it is added, or with
    `left_out` passed over.
    """
    upto = work.state.cursor
    name = table(work.connection, "events")
    indexed = _ids(work.connection, name, "event_id", (after, upto, most))
    stored = _ids(work.events, "events", "id", (after, upto, most))
    ends = [ids[-1] for ids in (indexed, stored) if len(ids) == most]
    end = min(ends, default=upto)
    compared = [{each for each in ids if each <= end} for ids in (indexed, stored)]
    if gone := compared[0] - compared[1]:
        work.writer.remove(work.connection, work.state, gone)
    missing = sorted(compared[1] - compared[0])
    if left_out:
        work.writer.add_without_terms(work.connection, missing)
    else:
        _index(work, missing)
    return end if ends else None


def _ids(source: Connection, name: str, column: str, part: tuple[int, int, int]) -> list[int]:
    after, upto, most = part
    query = text(
        f"SELECT {column} FROM {name} WHERE {column} > :after AND {column} <= :upto"
        f" ORDER BY {column} LIMIT :most"
    )
    return list(source.execute(query, {"after": after, "upto": upto, "most": most}).scalars())


def _found(row: Any) -> Found:
    try:
        terms = terms_of(row.name, row.order_key, row.payload)
    except Exception:  # one event must not keep the others from being found
        logger.exception("event %d is not indexed", row.id)
        terms = []
    return Found(row.id, row.company_id, terms)
