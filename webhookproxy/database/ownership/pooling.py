"""Refuses a pooler between this program and PostgreSQL that gives each transaction another session.

Then no session's lock, settings and prepared statements belong to a process: two servers could own
the sockets at once, and a lock could outlive its process without end.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from webhookproxy.config.keys import ConfigError


def refuse_pooling(engine: Engine, connection: Connection) -> None:
    """Raise ConfigError if the statements of this AUTOCOMMIT connection go to several sessions."""
    raw = connection.connection.dbapi_connection
    announced = None if raw is None else raw.info.backend_pid
    first, second = _session(connection), _session(connection)
    if first == second == announced:
        return
    # A pooler announces its own number. One with a session for each client is good; any other gives
    # this connection's session, which is free, to a transaction that begins now.
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN")
        _session(other)
        pooled = first != second or first != _session(connection)
        other.exec_driver_sql("ROLLBACK")
    if pooled:
        raise ConfigError(
            "DATABASE_URL leads through a connection pooler in transaction mode (such as "
            "PgBouncer), where no lock belongs to a process: set LEASE_DATABASE_URL to an address "
            "that leads straight to PostgreSQL."
        )


def _session(connection: Connection) -> int:
    found: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return found
