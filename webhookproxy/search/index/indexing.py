"""What is done to the place in one transaction: events go in, come out, and are put in anew."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import text

from webhookproxy.database.bulk import numbers
from webhookproxy.search.index.place import Work
from webhookproxy.search.index.tables import names
from webhookproxy.search.index.writing import Found, chunks
from webhookproxy.search.terms import terms_of

logger = logging.getLogger(__name__)

# Events read in one statement: a payload may have a megabyte.
_READ = 50
# Reading an event is about so much of the work; what comes after must be in time too.
_READING_SHARE = 0.4
# Events that one step of a sweep compares.
SWEPT = 1_000

_NEXT = text(
    "SELECT id, public_id, company_id, name, payload, order_key FROM events"
    " WHERE id > :after ORDER BY id LIMIT :most"
)


def index_next(work: Work, seconds: float, most: int) -> int:
    """Index the events after the cursor, about so many seconds long; how many it were."""
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
    return len(found)


def pass_over(work: Work) -> None:
    """Leave the next event out."""
    row = work.events.execute(_NEXT, {"after": work.state.cursor, "most": 1}).first()
    if row is not None:
        work.state.cursor, work.state.seal = row.id, row.public_id


def take_out(work: Work, ids: Collection[int]) -> None:
    """Take events out; what is freed on the disk is overwritten."""
    _overwrite(work, "ON")
    work.writer.remove(work.connection, work.state, ids)
    _overwrite(work, "OFF")


def index_anew(work: Work, ids: Collection[int]) -> None:
    """Put events in as they are now, but those that the indexer has still to come to."""
    take_out(work, ids)
    for some in chunks(each for each in ids if each <= work.state.cursor):
        query = text(
            "SELECT id, company_id, name, payload, order_key FROM events"
            f" WHERE id IN ({numbers(some)}) ORDER BY id"
        )
        found = [_found(row) for row in work.events.execute(query)]
        work.writer.add(work.connection, work.state, found)


def remove_gone(work: Work, ids: Iterable[int]) -> int:
    """Take those of the events out that are stored no more; how many were looked at."""
    looked_at = 0
    for some in chunks(ids):
        looked_at += len(some)
        query = text(f"SELECT id FROM events WHERE id IN ({numbers(some)})")
        there = set(work.events.execute(query).scalars())
        gone = [each for each in some if each not in there]
        if gone:
            work.writer.remove(work.connection, work.state, gone)
    return looked_at


def sweep(work: Work, after: int) -> int | None:
    """The same with the next events from a number on; the last of them, or None at the end."""
    query = text(
        f"SELECT event_id FROM {names(work.connection).events} WHERE event_id > :after"
        f" ORDER BY event_id LIMIT {SWEPT}"
    )
    ids = list(work.connection.execute(query, {"after": after}).scalars())
    remove_gone(work, ids)
    return ids[-1] if len(ids) == SWEPT else None


def _found(row: Any) -> Found:
    try:
        terms = terms_of(row.name, row.order_key, row.payload)
    except Exception:  # one event must not keep all others from being found
        logger.exception("event %d is not indexed", row.id)
        terms = []
    return Found(row.id, row.company_id, terms)


def _overwrite(work: Work, switch: str) -> None:
    """Have SQLite fill with zeros what is freed from now on, or not any more."""
    if work.connection.dialect.name == "sqlite":
        work.connection.exec_driver_sql(f"PRAGMA secure_delete = {switch}")
