"""Statements that write many rows in one step.

One statement for a whole group, and not one per row, because SQLite's driver gives up and takes
back the interpreter's lock at every step: a hundred small steps in the writer's thread would wait
a hundred times for the busy hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain

from sqlalchemy import Connection

# Few sizes, so that the driver's statement cache holds them all; SQLite takes 32,766 parameters.
_SIZES = (256, 64, 16, 4, 1)

Row = tuple[object, ...]


def insert_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row], tail: str = ""
) -> None:
    """Insert rows; `tail` is what follows the values, such as an ON CONFLICT clause."""
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    for chunk in _chunks(rows):
        text = _statement(
            f"{head} {{values}} {tail}", ("",) * len(columns), len(chunk), _mark(connection)
        )
        connection.exec_driver_sql(text, tuple(chain.from_iterable(chunk)))


def update_rows(
    connection: Connection, statement: str, casts: Sequence[str], rows: Sequence[Row]
) -> None:
    """Run an UPDATE fed from rows.

    `statement` names the rows `{values}` inside `WITH v (…) AS (VALUES {values}) UPDATE …`;
    `casts` are the columns' SQL types, which PostgreSQL cannot guess from parameters.
    """
    for chunk in _chunks(rows):
        text = _statement(statement, tuple(casts), len(chunk), _mark(connection))
        connection.exec_driver_sql(text, tuple(chain.from_iterable(chunk)))


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
