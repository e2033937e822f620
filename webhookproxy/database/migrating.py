"""Tools for a migration on a PostgreSQL that is in use."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

# Milliseconds that a migration waits for a lock; later statements of others wait behind it.
LOCK_WAIT_MS = 2000
LOCK_ATTEMPTS = 30
LOCK_PAUSE_SECONDS = 1.0


def create_index(
    name: str, table: str, columns: list[str], where: str | None = None, *, unique: bool = False
) -> None:
    """Create an index of a table with rows, while others write to it."""
    condition = None if where is None else text(where)
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, columns, unique=unique, sqlite_where=condition)
        return
    # This commits the work so far, and the index remains if the migration fails later.
    with op.get_context().autocommit_block():
        # It waits for earlier transactions, and none waits for it.
        op.execute("SET lock_timeout = 0")
        # A failed attempt leaves an index that is never read.
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            name,
            table,
            columns,
            unique=unique,
            postgresql_concurrently=True,
            postgresql_where=condition,
        )
        op.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")


def with_lock_attempts(connection: Connection, migrate: Callable[[], None]) -> None:
    """Call `migrate`; while others hold its locks, call it again to go on where it stopped.

    On PostgreSQL only: SQLite has one lock, and waits for it when a transaction begins.
    """
    if connection.dialect.name != "postgresql":
        migrate()
        return
    connection.exec_driver_sql(f"SET lock_timeout = {LOCK_WAIT_MS}")
    connection.commit()
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            migrate()
        except OperationalError as error:
            connection.rollback()
            if type(error.orig).__name__ != "LockNotAvailable" or attempt == LOCK_ATTEMPTS:
                raise
            gevent.sleep(LOCK_PAUSE_SECONDS)
        else:
            return
