"""Puts events into the search's tables and takes them out again, in the caller's transaction."""

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
from webhookproxy.search.index.tables import Names, State, names

# SQLite takes 32,766 parameters; a statement need not have more than these to be worth its price.
_PARAMETERS = 500
# Numbers of values that are remembered: some hundred bytes each.
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
        """Remember nothing."""
        self._numbers.clear()

    def add(self, connection: Connection, state: State, events: Sequence[Found]) -> None:
        """Make these events findable; none of them may be yet."""
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
        tables = names(connection)
        insert_rows(connection, tables.events, ("event_id", "value_ids"), packed)
        # In the order of their key they go into few pages; the events are in theirs already.
        hits.sort(key=itemgetter(0))
        _insert_hits(connection, tables, hits)

    def remove(self, connection: Connection, state: State, ids: Iterable[int]) -> None:
        """Take events out, with the values that nothing else has."""
        tables = names(connection)
        for some in chunks(ids):
            chosen = f"event_id IN ({numbers(some)})"
            query = f"DELETE FROM {tables.events} WHERE {chosen} RETURNING event_id, value_ids"
            rows = execute(connection, query).fetchall()
            hits = [(value, event) for event, packed in rows for value in unpack(packed)]
            _delete_hits(connection, tables, hits)
            self._remove_orphans(connection, tables, {value for value, _ in hits})
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
            insert_rows(connection, names(connection).values, columns, new)

    def _look_up(self, connection: Connection, company_id: int, terms: set[str]) -> None:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        for some in chunks(terms):
            query = (
                f"SELECT value, id FROM {names(connection).values} WHERE company_id = {mark}"
                f" AND value IN ({', '.join([mark] * len(some))})"
            )
            for term, number in execute(connection, query, (company_id, *some)).fetchall():
                self._numbers[company_id, term] = number

    def _remove_orphans(self, connection: Connection, tables: Names, ids: set[int]) -> None:
        for some in chunks(ids):
            query = (
                f"DELETE FROM {tables.values} WHERE id IN ({numbers(some)}) AND NOT EXISTS"
                f" (SELECT 1 FROM {tables.hits} h WHERE h.value_id = {tables.values}.id)"
                " RETURNING company_id, value"
            )
            for company_id, term in execute(connection, query).fetchall():
                self._numbers.pop((company_id, term), None)


def chunks(values: Iterable[T], size: int = _PARAMETERS) -> Iterator[tuple[T, ...]]:
    """The values in groups that fit into one statement."""
    rest = iter(values)
    while some := tuple(islice(rest, size)):
        yield some


def unpack(packed: bytes) -> array[int]:
    """The numbers of an event's values."""
    ids = array("I")
    ids.frombytes(packed)
    return ids


def _insert_hits(connection: Connection, tables: Names, hits: list[tuple[int, int]]) -> None:
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        cursor.executemany(f"INSERT INTO {tables.hits} VALUES (?, ?)", hits)
        return
    query = f"INSERT INTO {tables.hits} SELECT * FROM unnest(%s::int[], %s::bigint[])"
    cursor.execute(query, _columns(hits))


def _delete_hits(connection: Connection, tables: Names, hits: list[tuple[int, int]]) -> None:
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        query = f"DELETE FROM {tables.hits} WHERE value_id = ? AND event_id = ?"
        cursor.executemany(query, hits)
        return
    query = (
        f"DELETE FROM {tables.hits} h USING unnest(%s::int[], %s::bigint[]) AS g (value, event)"
        " WHERE h.value_id = g.value AND h.event_id = g.event"
    )
    cursor.execute(query, _columns(hits))


def _columns(hits: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [value for value, _ in hits], [event for _, event in hits]
