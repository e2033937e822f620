"""Reads the index's tables: which values a pattern means, and which events have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webhookproxy.database.bulk import numbers
from webhookproxy.search.index.tables import table
from webhookproxy.search.index.writing import chunks, unpack
from webhookproxy.search.terms import Group

# Different values that one pattern may mean.
VALUES_MAX = 200
# Longer lists are not counted to their end.
COUNTED_MAX = 20_000
# Selects in one UNION: SQLite takes 500.
_PARTS_MAX = 100
# At least so many hits of one value are read: one page of a list and one more.
_PART_MIN = 51
# Above every character that a value may have.
_END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers of values; `cut` if more than VALUES_MAX fit."""

    ids: tuple[int, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of a span, complete up to `edge`; None: up to the span's end."""

    ids: list[int]
    edge: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Ids of events from `low` to `high`, and the direction in which they are wanted."""

    low: int
    high: int
    ascending: bool

    @property
    def order(self) -> str:
        """The direction in SQL."""
        return "ASC" if self.ascending else "DESC"

    @property
    def ends(self) -> dict[str, int]:
        """The parameters :low and :high of a statement."""
        return {"low": self.low, "high": self.high}

    def sorted(self, ids: Collection[int]) -> list[int]:
        """Return ids in the span's order."""
        return sorted(ids, reverse=not self.ascending)

    def beyond(self, event_id: int) -> Span:
        """Return the rest of the span after this id."""
        if self.ascending:
            return Span(event_id + 1, self.high, ascending=True)
        return Span(self.low, event_id - 1, ascending=False)


def values_of(index: Connection, companies: Collection[int], group: Group) -> Values:
    """Return the values that any of these patterns means."""
    found: dict[int, None] = {}
    query = (
        f"SELECT id FROM {table(index, 'values')} WHERE company_id IN ({numbers(companies)})"
        " AND {} LIMIT :most"
    )
    exact = text(query.format("value = :low"))
    prefix = text(query.format("value >= :low AND value < :high"))
    for statement, patterns in ((exact, group), (prefix, [p for p in group if p.prefix])):
        for pattern in patterns:
            given: dict[str, Any] = {"low": pattern.term, "most": VALUES_MAX + 1}
            if statement is prefix:
                given["high"] = pattern.term + _END
            found.update(dict.fromkeys(index.execute(statement, given).scalars()))
    return Values(tuple(found)[:VALUES_MAX], cut=len(found) > VALUES_MAX)


def count_upto(index: Connection, values: Values, span: Span) -> int:
    """Return the number of hits that these values have, at most COUNTED_MAX."""
    if not values.ids:
        return 0
    query = text(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {table(index, 'hits')}"
        f" WHERE value_id IN ({numbers(values.ids)}) AND event_id >= :low AND event_id <= :high"
        f" LIMIT {COUNTED_MAX}) counted"
    )
    return int(index.execute(query, span.ends).scalar_one())


def page(index: Connection, values: Values, span: Span, most: int) -> Page:
    """Return about `most` of the nearest events that have any of the values."""
    each = max(_PART_MIN, 2 * most // len(values.ids))
    of_value: defaultdict[int, list[int]] = defaultdict(list)
    columns = ("value_id", "event_id")
    for value, event_id in nearest(index, table(index, "hits"), columns, values.ids, span, each):
        of_value[value].append(event_id)
    found = span.sorted({event_id for ids in of_value.values() for event_id in ids})
    # A list of full length may go on. Beyond the nearest end of these, events may be missing.
    end, nearest_end = (max, min) if span.ascending else (min, max)
    ends = [end(ids) for ids in of_value.values() if len(ids) == each]
    if not ends:
        return Page(found)
    edge = nearest_end(ends)
    return Page([event_id for event_id in found if end(event_id, edge) == edge], edge)


def nearest(
    source: Session | Connection,
    from_table: str,
    columns: tuple[str, str],
    owners: Collection[int],
    span: Span,
    most: int,
) -> Iterator[tuple[int, int]]:
    """Yield two columns, an owner and an id, of the `most` nearest rows of each of the owners."""
    owner, column = columns
    given = {**span.ends, "most": most}
    for some in chunks(owners, _PARTS_MAX):
        parts = " UNION ALL ".join(
            f"SELECT * FROM (SELECT {owner}, {column} FROM {from_table}"
            f" WHERE {owner} = {int(each)} AND {column} >= :low AND {column} <= :high"
            f" ORDER BY {column} {span.order} LIMIT :most) p"
            for each in some
        )
        for row in source.execute(text(parts), given):
            yield row[0], row[1]
        # The sockets get their turn between two statements.
        gevent.sleep(0)


def having(index: Connection, events: Sequence[int], criteria: Sequence[Values]) -> list[int]:
    """Return the events that have a value of each of the criteria, in the given order."""
    if not criteria:
        return list(events)
    wanted = [frozenset(each.ids) for each in criteria]
    left: set[int] = set()
    for some in chunks(events):
        query = (
            f"SELECT event_id, value_ids FROM {table(index, 'events')}"
            f" WHERE event_id IN ({numbers(some)})"
        )
        for event_id, packed in index.exec_driver_sql(query):
            has = unpack(packed)
            if not any(each.isdisjoint(has) for each in wanted):
                left.add(event_id)
    return [each for each in events if each in left]
