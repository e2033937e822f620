"""The search's own tables, on both databases; none of them is in the models or the migrations.

`values` numbers each company's terms, `hits` says which events have them, `events` which terms an
event has, so that it can be taken out again. `state` has one row: how far the events are indexed.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

# Another number here, and what is there is thrown away and made anew.
VERSION = 1
_SCHEMA = "webhookproxy_search"
# Numbers of values have four bytes: when they come to an end, everything is numbered anew.
_VALUES_MAX = (1 << 31) - (1 << 24)


@dataclass(frozen=True, slots=True)
class Names:
    """What the tables are called."""

    values: str
    hits: str
    events: str
    state: str


_NAMES = {
    "sqlite": Names("search_values", "search_hits", "search_events", "search_state"),
    # A schema of its own: the migrations look at ours only.
    "postgresql": Names(
        f"{_SCHEMA}.search_values",
        f"{_SCHEMA}.search_hits",
        f"{_SCHEMA}.search_events",
        f"{_SCHEMA}.search_state",
    ),
}
_SQLITE = (
    (
        "CREATE TABLE search_values (id INTEGER PRIMARY KEY, company_id INTEGER NOT NULL,"
        " value TEXT NOT NULL)"
    ),
    "CREATE UNIQUE INDEX search_values_value ON search_values (company_id, value)",
    (
        "CREATE TABLE search_hits (value_id INTEGER NOT NULL, event_id INTEGER NOT NULL,"
        " PRIMARY KEY (value_id, event_id)) WITHOUT ROWID"
    ),
    "CREATE TABLE search_events (event_id INTEGER PRIMARY KEY, value_ids BLOB NOT NULL)",
    (
        "CREATE TABLE search_state (version INTEGER NOT NULL, cursor INTEGER NOT NULL,"
        " seal TEXT NOT NULL, last_value INTEGER NOT NULL, removals INTEGER NOT NULL)"
    ),
)
# Unlogged: not in the server's log of changes, which costs half; empty after a crash. "C" so that
# a prefix is a range.
_POSTGRESQL = (
    f"CREATE SCHEMA {_SCHEMA}",
    (
        f"CREATE UNLOGGED TABLE {_SCHEMA}.search_values (id INTEGER PRIMARY KEY,"
        ' company_id BIGINT NOT NULL, value TEXT COLLATE "C" NOT NULL, UNIQUE (company_id, value))'
    ),
    (
        f"CREATE UNLOGGED TABLE {_SCHEMA}.search_hits (value_id INTEGER NOT NULL,"
        " event_id BIGINT NOT NULL, PRIMARY KEY (value_id, event_id))"
    ),
    (
        f"CREATE UNLOGGED TABLE {_SCHEMA}.search_events (event_id BIGINT PRIMARY KEY,"
        " value_ids BYTEA NOT NULL)"
    ),
    (
        f"CREATE UNLOGGED TABLE {_SCHEMA}.search_state (version INTEGER NOT NULL,"
        " cursor BIGINT NOT NULL, seal TEXT NOT NULL, last_value INTEGER NOT NULL,"
        " removals BIGINT NOT NULL)"
    ),
)


@dataclass(slots=True)
class State:
    """How far the events are indexed.

    `cursor` is the highest event that is, and `seal` its public id: a database that was put in
    this one's place has another one there. `removals` counts the times that something was removed:
    who remembers the numbers of values forgets them when it changes.
    """

    cursor: int = 0
    seal: str = ""
    last_value: int = 0
    removals: int = 0


def names(connection: Connection) -> Names:
    """The tables' names on this database."""
    return _NAMES[connection.dialect.name]


def read_state(connection: Connection, *, lock: bool = False) -> State | None:
    """The state; None if it is another version's, or none. Raises if there are no tables.

    With `lock` nobody else may write until the transaction ends.
    """
    for_update = " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    query = (
        f"SELECT version, cursor, seal, last_value, removals FROM {names(connection).state}"
        f"{for_update}"
    )
    row = connection.exec_driver_sql(query).first()
    if row is None or row[0] != VERSION:
        return None
    state = State(*row[1:])
    return state if state.last_value < _VALUES_MAX else None


def write_state(connection: Connection, state: State) -> None:
    """Keep it."""
    query = text(
        f"UPDATE {names(connection).state} SET cursor = :cursor, seal = :seal,"
        " last_value = :last_value, removals = :removals"
    )
    values = {
        "cursor": state.cursor,
        "seal": state.seal,
        "last_value": state.last_value,
        "removals": state.removals,
    }
    connection.execute(query, values)


def make_tables(connection: Connection) -> State:
    """Throw away what is there, and make empty tables."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
        statements = _POSTGRESQL
    else:
        found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in found.all():
            connection.exec_driver_sql(f'DROP TABLE "{name}"')
        statements = _SQLITE
    for statement in statements:
        connection.exec_driver_sql(statement)
    state = names(connection).state
    connection.exec_driver_sql(f"INSERT INTO {state} VALUES ({VERSION}, 0, '', 0, 0)")
    return State()


def has_tables(connection: Connection) -> bool:
    """Whether the newest of them is there, and so all are: they are made in one transaction."""
    if connection.dialect.name == "postgresql":
        query = f"SELECT to_regclass('{_SCHEMA}.search_state') IS NOT NULL"
        return bool(connection.exec_driver_sql(query).scalar())
    query = "SELECT 1 FROM sqlite_master WHERE name = 'search_state'"
    return connection.exec_driver_sql(query).first() is not None


def is_torn(error: DBAPIError) -> bool:
    """Whether it says that what is stored is damaged, and not only out of reach."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        # SQLITE_CORRUPT and SQLITE_NOTADB, and a file that is shorter than it says.
        return code & 0xFF in (11, 26) or code == 522
    # data_corrupted and index_corrupted
    return getattr(error.orig, "sqlstate", None) in ("XX001", "XX002")
