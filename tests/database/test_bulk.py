"""Many rows in one statement, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from webhookproxy.database.bulk import insert_rows, update_rows
from webhookproxy.database.store import writing_engine

UPDATE = (
    "WITH v (id, word, number) AS (VALUES {values}) UPDATE things SET word = v.word,"
    " number = things.number + v.number FROM v WHERE things.id = v.id"
)
CASTS = ("BIGINT", "TEXT", "BIGINT")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = writing_engine(database_url)
    with engine.connect() as connection:
        connection.execute(
            text("CREATE TABLE things (id BIGINT PRIMARY KEY, word TEXT, number BIGINT)")
        )
        yield connection
        connection.rollback()
    engine.dispose()


def things(connection: Connection) -> list[tuple[int, str | None, int | None]]:
    found = connection.execute(text("SELECT id, word, number FROM things ORDER BY id"))
    return [(row[0], row[1], row[2]) for row in found]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 63, 64, 256, 257, 1_000])
def test_any_number_of_rows_is_inserted_and_updated(connection: Connection, count: int) -> None:
    insert_rows(
        connection, "things", ("id", "word", "number"), [(n, f"w{n}", n) for n in range(count)]
    )
    assert things(connection) == [(n, f"w{n}", n) for n in range(count)]
    update_rows(connection, UPDATE, CASTS, [(n, f"v{n}", 1) for n in range(count)])
    assert things(connection) == [(n, f"v{n}", n + 1) for n in range(count)]


def test_nothing_stays_nothing_and_odd_text_stays_itself(connection: Connection) -> None:
    odd = "%s ? :name 'quoted' {values} \N{GRINNING FACE}"
    insert_rows(
        connection, "things", ("id", "word", "number"), [(1, odd, 0), (2, None, 0), (3, "", 0)]
    )
    assert [word for _, word, _ in things(connection)] == [odd, None, ""]
    update_rows(connection, UPDATE, CASTS, [(1, None, 5), (2, odd, 5)])
    assert things(connection) == [(1, None, 5), (2, odd, 5), (3, "", 0)]


def test_a_conflict_is_settled_by_the_tail(connection: Connection) -> None:
    for _ in range(2):
        insert_rows(
            connection,
            "things",
            ("id", "word", "number"),
            [(1, "a", 2), (2, "b", 3)],
            "ON CONFLICT (id) DO UPDATE SET number = things.number + excluded.number",
        )
    assert things(connection) == [(1, "a", 4), (2, "b", 6)]


def test_a_number_beyond_32_bits_fits(connection: Connection) -> None:
    insert_rows(connection, "things", ("id", "word", "number"), [(2**40, "x", 2**41)])
    update_rows(connection, UPDATE, CASTS, [(2**40, "y", 1)])
    assert things(connection) == [(2**40, "y", 2**41 + 1)]


def test_a_row_that_is_not_there_is_not_made_by_an_update(connection: Connection) -> None:
    update_rows(connection, UPDATE, CASTS, [(1, "a", 1)])
    assert things(connection) == []
