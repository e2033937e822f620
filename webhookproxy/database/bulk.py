"""Statements of the way that every event takes: on the driver's own cursor, many rows in one step.

Without SQLAlchemy between, because a dozen of them go into the commit of one event, and each would
cost three times as much.

One statement for a whole group, and not one per row, because SQLite's driver gives up and takes
back the interpreter's lock at every step: a hundred small steps in the writer's thread would wait
a hundred times for the busy hub.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection

# Few sizes, so that the driver's statement cache holds them all; SQLite takes 32,766 parameters.
_SIZES = (256, 64, 16, 4, 1)

Row = tuple[object, ...]


def numbers(ids: Iterable[int]) -> str:
    """Ids as SQL, for an IN clause: as parameters thousands would pass SQLite's limit."""
    return ", ".join(str(int(each)) for each in ids)


def execute(connection: Connection, statement: str, values: Row = ()) -> Any:
    """The driver's cursor after this statement, in the connection's transaction.

    Raises the driver's errors, and not SQLAlchemy's; `values` go where the driver's own marks are.
    """
    cursor = connection.connection.cursor()
    cursor.execute(statement, values)
    return cursor


def insert_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row], tail: str = ""
) -> None:
    """Insert rows; `tail` is what follows the values, such as an ON CONFLICT clause."""
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    for chunk in _chunks(rows):
        text = _statement(
            f"{head} {{values}} {tail}", ("",) * len(columns), len(chunk), _mark(connection)
        )
        execute(connection, text, tuple(chain.from_iterable(chunk)))


def update_rows(
    connection: Connection, statement: str, casts: Sequence[str], rows: Sequence[Row]
) -> None:
    """Run an UPDATE fed from rows.

    `statement` names the rows `{values}` inside `WITH v (…) AS (VALUES {values}) UPDATE …`;
    `casts` are the columns' SQL types, which PostgreSQL cannot guess from parameters.
    """
    for chunk in _chunks(rows):
        text = _statement(statement, tuple(casts), len(chunk), _mark(connection))
        execute(connection, text, tuple(chain.from_iterable(chunk)))


def _mark(connection: Connection) -> str:
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
