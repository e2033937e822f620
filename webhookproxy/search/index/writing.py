"""Adds events to the index's tables and removes them, in the caller's transaction."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import TypeVar

from sqlalchemy import Connection

from webhookproxy.database.bulk import Row, execute, insert_rows, numbers
from webhookproxy.search.index.tables import State, table

# Parameters of one statement: more would save nothing (SQLite takes 32,766).
_PARAMETERS = 500
# Remembered numbers of values, of some hundred bytes each.
_REMEMBERED = 20_000

T = TypeVar("T")

# A company and a term.
Value = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Found:
    """An event and its terms, each once."""

    id: int
    company_id: int
    terms: Sequence[str]


class Writer:
    """Remembers the numbers of values; `forget` after a transaction that was not committed."""

    def __init__(self) -> None:
        self._numbers: dict[Value, int] = {}
        self._removals = -1

    def forget(self) -> None:
        """Forget all numbers."""
        self._numbers.clear()

    def add(self, connection: Connection, state: State, events: Sequence[Found]) -> None:
        """Add events, none of which is indexed yet."""
        if self._removals != state.removals or len(self._numbers) > _REMEMBERED:
            self._numbers.clear()
            self._removals = state.removals
        self._number_all(connection, state, events)
        packed: list[Row] = []
        hits: list[tuple[int, int]] = []
        for event in events:
            ids = [self._numbers[event.company_id, term] for term in event.terms]
            packed.append((event.id, array("I", ids).tobytes()))
            hits += [(each, event.id) for each in ids]
        insert_rows(connection, table(connection, "events"), ("event_id", "value_ids"), packed)
        # Sorted by their key they touch few pages; within a value they are in order already.
        hits.sort(key=itemgetter(0))
        insert = f"INSERT INTO {table(connection, 'hits')}"
        _for_hits(
            connection,
            hits,
            f"{insert} VALUES (?, ?)",
            f"{insert} SELECT * FROM unnest(%s::int[], %s::bigint[])",
        )

    def add_without_terms(self, connection: Connection, ids: Iterable[int]) -> None:
        """Add events that no search is to find: a sweep takes them for indexed."""
        rows: list[Row] = [(each, b"") for each in ids]
        insert_rows(connection, table(connection, "events"), ("event_id", "value_ids"), rows)

    def remove(self, connection: Connection, state: State, ids: Iterable[int]) -> None:
        """Remove events, and the values that no other event has."""
        delete = f"DELETE FROM {table(connection, 'hits')}"
        for some in chunks(ids):
            query = (
                f"DELETE FROM {table(connection, 'events')} WHERE event_id IN ({numbers(some)})"
                " RETURNING event_id, value_ids"
            )
            rows = execute(connection, query).fetchall()
            hits = [(value, event) for event, packed in rows for value in unpack(packed)]
            _for_hits(
                connection,
                hits,
                f"{delete} WHERE value_id = ? AND event_id = ?",
                f"{delete} h USING unnest(%s::int[], %s::bigint[]) AS g (value, event)"
                " WHERE h.value_id = g.value AND h.event_id = g.event",
            )
            self._remove_orphans(connection, {value for value, _ in hits})
        state.removals += 1
        self._removals = state.removals

    def _number_all(self, connection: Connection, state: State, events: Sequence[Found]) -> None:
        unknown: defaultdict[int, set[str]] = defaultdict(set)
        for event in events:
            unknown[event.company_id].update(
                term for term in event.terms if (event.company_id, term) not in self._numbers
            )
        new: list[Row] = []
        for company_id, terms in unknown.items():
            self._look_up(connection, company_id, terms)
            for term in sorted(terms):
                if (company_id, term) not in self._numbers:
                    state.last_value += 1
                    self._numbers[company_id, term] = state.last_value
                    new.append((state.last_value, company_id, term))
        if new:
            columns = ("id", "company_id", "value")
            insert_rows(connection, table(connection, "values"), columns, new)

    def _look_up(self, connection: Connection, company_id: int, terms: set[str]) -> None:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        for some in chunks(terms):
            query = (
                f"SELECT value, id FROM {table(connection, 'values')} WHERE company_id = {mark}"
                f" AND value IN ({', '.join([mark] * len(some))})"
            )
            for term, number in execute(connection, query, (company_id, *some)).fetchall():
                self._numbers[company_id, term] = number

    def _remove_orphans(self, connection: Connection, ids: set[int]) -> None:
        values = table(connection, "values")
        for some in chunks(ids):
            query = (
                f"DELETE FROM {values} WHERE id IN ({numbers(some)}) AND NOT EXISTS"
                f" (SELECT 1 FROM {table(connection, 'hits')} h WHERE h.value_id = {values}.id)"
                " RETURNING company_id, value"
            )
            for company_id, term in execute(connection, query).fetchall():
                self._numbers.pop((company_id, term), None)


def chunks(values: Iterable[T], size: int = _PARAMETERS) -> Iterator[tuple[T, ...]]:
    """Yield the values in groups that fit into one statement."""
    rest = iter(values)
    while some := tuple(islice(rest, size)):
        yield some


def unpack(packed: bytes) -> array[int]:
    """Return the numbers of an event's values."""
    ids = array("I")
    ids.frombytes(packed)
    return ids


def _for_hits(
    connection: Connection, hits: list[tuple[int, int]], sqlite: str, postgresql: str
) -> None:
    """Run a statement for hits (value, event): for each on SQLite, for all on PostgreSQL."""
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        cursor.executemany(sqlite, hits)
    else:
        cursor.execute(postgresql, ([value for value, _ in hits], [event for _, event in hits]))
