"""Reads the search's tables: which values are meant, and which events have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from webhookproxy.database.bulk import numbers
from webhookproxy.search.index.tables import names
from webhookproxy.search.index.writing import chunks, unpack
from webhookproxy.search.terms import Group

# Different values that are looked at for what was typed.
VALUES_MAX = 200
# A list that is longer counts as no shorter than others.
COUNTED_MAX = 20_000
# Selects in one UNION: SQLite takes 500.
_PARTS_MAX = 100
# Hits of one value that are read at least: a page of a list and one more.
_PART_MIN = 51
# Above every character that a value may have.
_END = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers of values; `cut` if there are more than were taken."""

    ids: tuple[int, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of a span, and the last that they reach to; None at its end."""

    ids: list[int]
    edge: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Ids of events, both ends included, and the direction in which they are wanted."""

    low: int
    high: int
    ascending: bool

    def beyond(self, event_id: int) -> Span:
        """What is left when this one was reached."""
        if self.ascending:
            return Span(event_id + 1, self.high, ascending=True)
        return Span(self.low, event_id - 1, ascending=False)


def values_of(index: Connection, companies: Collection[int], group: Group) -> Values:
    """The values that any of these patterns means."""
    found: dict[int, None] = {}
    table = names(index).values
    whose = f"company_id IN ({numbers(companies)})"
    for condition in ("value = :low", "value >= :low AND value < :high"):
        query = text(f"SELECT id FROM {table} WHERE {whose} AND {condition} LIMIT :most")
        for pattern in group:
            if condition.startswith("value =") or pattern.prefix:
                given = {"low": pattern.term, "most": VALUES_MAX + 1}
                if ":high" in condition:
                    given["high"] = pattern.term + _END
                found.update(dict.fromkeys(index.execute(query, given).scalars()))
    return Values(tuple(found)[:VALUES_MAX], cut=len(found) > VALUES_MAX)


def count_upto(index: Connection, values: Values, span: Span) -> int:
    """How many hits these values have, or COUNTED_MAX."""
    if not values.ids:
        return 0
    query = text(
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {names(index).hits}"
        f" WHERE value_id IN ({numbers(values.ids)}) AND event_id >= :low AND event_id <= :high"
        f" LIMIT {COUNTED_MAX}) counted"
    )
    return int(index.execute(query, {"low": span.low, "high": span.high}).scalar_one())


def page(index: Connection, values: Values, span: Span, most: int) -> Page:
    """About so many of the nearest events that have any of the values, each once."""
    each = max(_PART_MIN, 2 * most // len(values.ids))
    of_value: defaultdict[int, list[int]] = defaultdict(list)
    for value_id, event_id in _hits(index, values, span, each):
        of_value[value_id].append(event_id)
    found = {event_id for ids in of_value.values() for event_id in ids}
    # Of these there may be more, and beyond the nearest of their ends something may be missing.
    end = max if span.ascending else min
    ends = [end(ids) for ids in of_value.values() if len(ids) == each]
    if not ends:
        return Page(sorted(found, reverse=not span.ascending))
    if span.ascending:
        edge = min(ends)
        return Page(sorted(event_id for event_id in found if event_id <= edge), edge)
    edge = max(ends)
    return Page(sorted((each for each in found if each >= edge), reverse=True), edge)


def _hits(index: Connection, values: Values, span: Span, each: int) -> Iterator[tuple[int, int]]:
    """Of every value the nearest events."""
    order = "ASC" if span.ascending else "DESC"
    given = {"low": span.low, "high": span.high, "most": each}
    for some in chunks(values.ids, _PARTS_MAX):
        parts = " UNION ALL ".join(
            f"SELECT * FROM (SELECT value_id, event_id FROM {names(index).hits}"
            f" WHERE value_id = {int(value)} AND event_id >= :low AND event_id <= :high"
            f" ORDER BY event_id {order} LIMIT :most) p"
            for value in some
        )
        for row in index.execute(text(parts), given):
            yield row[0], row[1]


def having(index: Connection, events: Sequence[int], criteria: Sequence[Values]) -> list[int]:
    """Those of the events that have a value of each of the criteria, in their order."""
    if not criteria:
        return list(events)
    wanted = [frozenset(each.ids) for each in criteria]
    left: set[int] = set()
    for some in chunks(events):
        query = (
            f"SELECT event_id, value_ids FROM {names(index).events}"
            f" WHERE event_id IN ({numbers(some)})"
        )
        for event_id, packed in index.exec_driver_sql(query):
            has = unpack(packed)
            if not any(each.isdisjoint(has) for each in wanted):
                left.add(event_id)
    return [each for each in events if each in left]
