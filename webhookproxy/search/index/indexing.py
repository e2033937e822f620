"""Indexes events and removes them, in one transaction of the index each time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import text

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
    for some in chunks(each for each in ids if each <= work.state.cursor):
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


def sweep(work: Work, after: int) -> int | None:
    """Compare the next SWEPT indexed events; return the last of them, or None at the end."""
    query = text(
        f"SELECT event_id FROM {table(work.connection, 'events')} WHERE event_id > :after"
        f" ORDER BY event_id LIMIT {SWEPT}"
    )
    ids = list(work.connection.execute(query, {"after": after}).scalars())
    remove_gone(work, ids)
    return ids[-1] if len(ids) == SWEPT else None


def _found(row: Any) -> Found:
    try:
        terms = terms_of(row.name, row.order_key, row.payload)
    except Exception:  # one event must not keep the others from being found
        logger.exception("event %d is not indexed", row.id)
        terms = []
    return Found(row.id, row.company_id, terms)
