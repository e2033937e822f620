"""The index's own tables, on both databases; models and migrations do not know them.

`values` numbers the terms of each company, and `hits` says which events have them. `events` says
which terms an event has, so that it can be removed. `state` has one row: how far the index reaches.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

# Another number here throws the stored index away and fills it again.
VERSION = 1
# A schema of its own on PostgreSQL: the migrations look only at ours.
_SCHEMA = "webhookproxy_search"
# Numbers of values have four bytes: before they run out, the index is filled again.
_VALUES_MAX = (1 << 31) - (1 << 24)


@dataclass(slots=True)
class State:
    """How far the events are indexed.

    `cursor` is the highest indexed event, and `seal` its public id: in another database that event
    has another one. `removals` counts removals: a process that remembers the numbers of values
    forgets them when it changes.
    """

    cursor: int = 0
    seal: str = ""
    last_value: int = 0
    removals: int = 0


def table(connection: Connection, name: str) -> str:
    """Return the name in SQL of the table `values`, `hits`, `events` or `state`."""
    return f"{'' if _is_sqlite(connection) else f'{_SCHEMA}.'}search_{name}"


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def read_state(connection: Connection, *, lock: bool = False) -> State | None:
    """Return the state, or None if it is missing or another version's.

    `lock` stops other writers until the transaction ends. Raises DBAPIError without tables.
    """
    query = (
        "SELECT version, cursor, seal, last_value, removals"
        f" FROM {table(connection, 'state')}"
        f"{' FOR UPDATE' if lock and not _is_sqlite(connection) else ''}"
    )
    row = connection.exec_driver_sql(query).first()
    if row is None or row[0] != VERSION:
        return None
    state = State(*row[1:])
    return state if state.last_value < _VALUES_MAX else None


def write_state(connection: Connection, state: State) -> None:
    """Store the state."""
    query = (
        f"UPDATE {table(connection, 'state')} SET cursor = :cursor, seal = :seal,"
        " last_value = :last_value, removals = :removals"
    )
    connection.execute(text(query), asdict(state))


def make_tables(connection: Connection) -> State:
    """Remove the tables, if any, and make empty ones."""
    if _is_sqlite(connection):
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in found.all():
            connection.exec_driver_sql(f'DROP TABLE "{name}"')
    else:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
        connection.exec_driver_sql(f"CREATE SCHEMA {_SCHEMA}")
    for statement in _definitions(connection):
        connection.exec_driver_sql(statement)
    state = table(connection, "state")
    connection.exec_driver_sql(f"INSERT INTO {state} VALUES ({VERSION}, 0, '', 0, 0)")
    return State()


def _definitions(connection: Connection) -> list[str]:
    if _is_sqlite(connection):
        create, big, term, blob, tail = "CREATE TABLE ", "INTEGER", "TEXT", "BLOB", "WITHOUT ROWID"
    else:
        # Unlogged tables stay out of the server's log of changes, which would cost half of the
        # time; a crash empties them. "C" makes a prefix a range.
        create, tail = f"CREATE UNLOGGED TABLE {_SCHEMA}.", ""
        big, term, blob = "BIGINT", 'TEXT COLLATE "C"', "BYTEA"
    return f"""
        {create}search_values (id INTEGER PRIMARY KEY, company_id {big} NOT NULL,
            value {term} NOT NULL, UNIQUE (company_id, value));
        {create}search_hits (value_id INTEGER NOT NULL, event_id {big} NOT NULL,
            PRIMARY KEY (value_id, event_id)) {tail};
        {create}search_events (event_id {big} PRIMARY KEY, value_ids {blob} NOT NULL);
        {create}search_state (version INTEGER NOT NULL, cursor {big} NOT NULL, seal TEXT NOT NULL,
            last_value INTEGER NOT NULL, removals {big} NOT NULL)
    """.split(";")


def has_tables(connection: Connection) -> bool:
    """Return whether the last table exists: one transaction makes them all."""
    if _is_sqlite(connection):
        query = "SELECT 1 FROM sqlite_master WHERE name = 'search_state'"
    else:
        query = f"SELECT 1 WHERE to_regclass('{_SCHEMA}.search_state') IS NOT NULL"
    return connection.exec_driver_sql(query).first() is not None


def is_torn(error: DBAPIError) -> bool:
    """Return whether the stored data is damaged, and not only out of reach."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        # SQLITE_CORRUPT, SQLITE_NOTADB, and a file that is shorter than it says.
        return code & 0xFF in (11, 26) or code == 522
    # data_corrupted and index_corrupted
    return getattr(error.orig, "sqlstate", None) in ("XX001", "XX002")
