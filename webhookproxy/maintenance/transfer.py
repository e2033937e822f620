"""Copies all rows from one database into another, of either kind, and brings its schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import JSON, Connection, Engine, MetaData, Table, insert, inspect, select, text

from webhookproxy.database.migrate import migrations
from webhookproxy.database.schema import VERSION_TABLE

ROWS = 1000


def is_known(revision: str) -> bool:
    """Return whether this version of the program has that revision."""
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except CommandError:
        return False


def bring_to(engine: Engine, revision: str) -> None:
    """Run the migrations up to a revision ("head": all) on an engine that may write."""
    config = _config()
    config.attributes["engine"] = engine
    command.upgrade(config, revision)


def _config() -> Config:
    # mypy: the stub has a class of its own for Alembic's.
    return migrations(current_app).get_config()  # type: ignore[return-value]


def copy_rows(source: Connection, target: Connection) -> None:
    """Replace all rows of the target by the source's; both have the same tables and columns.

    Runs in a transaction of each, and ends neither.
    """
    tables = _tables(source)
    into = {table.name: table for table in _tables(target)}
    # The audit's trigger refuses to delete entries younger than thirty days.
    _switch_triggers(target, tables, "DISABLE")
    for table in reversed(tables):
        target.execute(into[table.name].delete())
    for table in tables:
        rows = source.execution_options(yield_per=ROWS).execute(select(table))
        for some in rows.mappings().partitions():
            target.execute(insert(into[table.name]), [dict(row) for row in some])
    _set_numbers(target, tables, _numbers_given(source, tables))
    _switch_triggers(target, tables, "ENABLE")


def _switch_triggers(target: Connection, tables: Iterable[Table], verb: str) -> None:
    """Disable or enable our triggers on PostgreSQL; a new SQLite file has no rows to protect."""
    if target.dialect.name == "postgresql":
        for table in tables:
            target.exec_driver_sql(f"ALTER TABLE {table.name} {verb} TRIGGER USER")


def _tables(connection: Connection) -> list[Table]:
    """Return every table except Alembic's, referenced tables before those that refer to them."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != VERSION_TABLE)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                # Otherwise a column without a value would become the JSON text "null".
                column.type = JSON(none_as_null=True)
    return metadata.sorted_tables


def _numbers_given(connection: Connection, tables: Iterable[Table]) -> dict[str, int]:
    """Return the highest number that each numbered table ever used, also for removed rows."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT name, seq FROM sqlite_sequence")
        return {row.name: int(row.seq) for row in connection.execute(query)}
    found: dict[str, int] = {}
    for table in tables:
        sequence = _sequence(connection, table.name)
        if sequence is not None:
            query = text(f"SELECT last_value FROM {sequence} WHERE is_called")
            found[table.name] = int(connection.execute(query).scalar() or 0)
    return found


def _set_numbers(connection: Connection, tables: Iterable[Table], given: dict[str, int]) -> None:
    for table in tables:
        values: dict[str, Any] = {"name": table.name, "number": given.get(table.name, 0)}
        if connection.dialect.name == "sqlite":
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"
            connection.execute(text(statement), values)
        elif (sequence := _sequence(connection, table.name)) is not None:
            highest = connection.execute(text(f"SELECT MAX(id) FROM {table.name}")).scalar() or 0
            last = max(values["number"], highest)
            statement = "SELECT setval(CAST(:sequence AS regclass), :number, :called)"
            values = {"sequence": sequence, "number": max(1, last), "called": last > 0}
            connection.execute(text(statement), values)


def _sequence(connection: Connection, table: str) -> str | None:
    if not any(column["name"] == "id" for column in inspect(connection).get_columns(table)):
        return None
    query = text("SELECT pg_get_serial_sequence(:table, 'id')")
    found: str | None = connection.execute(query, {"table": table}).scalar()
    return found
