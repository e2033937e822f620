"""The revision of the database's schema, and the one that this program needs."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

# The newest revision in webhookproxy/migrations/versions: revisions are numbered, so they compare.
NEWEST = "0029"
# The table in which Alembic notes the revision.
VERSION_TABLE = "alembic_version"


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database's schema; None if it has none of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def is_current(connection: Connection) -> bool:
    """Return whether this version of the program can run: a newer schema still suits it."""
    return (revision_of(connection) or "") >= NEWEST
