"""The statements that store events: on the driver's own cursor, many rows in one step.

They go around SQLAlchemy, because one event's commit has a dozen of them, and each would take
three times as long.

One statement writes a whole group of rows, because SQLite's driver releases and takes the
interpreter's lock at every step: a hundred small steps in the writer's thread would wait a hundred
times for the busy hub.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

# So few sizes fit into the driver's statement cache; SQLite takes 32,766 parameters.
_SIZES = (256, 64, 16, 4, 1)

Row = tuple[object, ...]


def numbers(ids: Iterable[int]) -> str:
    """Return ids as SQL for an IN clause: thousands of parameters would pass SQLite's limit."""
    return ", ".join(str(int(each)) for each in ids)


def execute(connection: Connection, statement: str, values: Row = ()) -> Any:
    """Run a statement in the connection's transaction and return the driver's cursor.

    Raises the driver's errors, and not SQLAlchemy's; `values` replace the driver's own marks.
    """
    cursor = connection.connection.cursor()
    cursor.execute(statement, values)
    return cursor


def insert_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row], tail: str = ""
) -> int:
    """Insert rows; `tail` follows the values, such as an ON CONFLICT clause. Return how many."""
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    inserted = 0
    for chunk in _chunks(rows):
        text = _statement(
            f"{head} {{values}} {tail}", ("",) * len(columns), len(chunk), mark(connection)
        )
        inserted += execute(connection, text, tuple(chain.from_iterable(chunk))).rowcount
    return inserted


def update_rows(
    connection: Connection, statement: str, casts: Sequence[str], rows: Sequence[Row]
) -> None:
    """Run an UPDATE fed from rows.

    `statement` has `{values}` in place of the rows: `WITH v (…) AS (VALUES {values}) UPDATE …`.
    `casts` are the columns' SQL types, which PostgreSQL cannot guess from parameters.
    """
    for chunk in _chunks(rows):
        text = _statement(statement, tuple(casts), len(chunk), mark(connection))
        execute(connection, text, tuple(chain.from_iterable(chunk)))


def mark(connection: Connection) -> str:
    """Return the driver's own mark of a value in a statement."""
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


@cache
def _statement(template: str, casts: tuple[str, ...], rows: int, mark: str) -> str:
    first = ", ".join(f"CAST({mark} AS {cast})" if cast else mark for cast in casts)
    other = ", ".join([mark] * len(casts))
    values = ", ".join([f"({first})"] + [f"({other})"] * (rows - 1))
    return template.replace("{values}", values)
