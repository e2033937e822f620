"""Connections to the database: readers, which refuse to write, and writers."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

from webhookproxy.database.bulk import execute
from webhookproxy.database.clock import follow
from webhookproxy.extensions import db

# Milliseconds that a write waits for another process before it fails and is tried again. The
# writer's own thread waits, not the sockets.
LOCK_WAIT_MS = 5000
# Connections to PostgreSQL that read, for pages and engine together. With those of the writer, the
# lock, the search and the notices, and one short one, they are ten: the smallest plans allow
# twenty, and two processes run during a deploy.
READERS = 5
READER_WAIT_SECONDS = 10
# A reader may wait for a slow browser. A writer waits for nothing: one that was frozen with the
# rows of its leases locked lets go of them before its lock is free (locks.SILENCE_MS).
IDLE_MS = 60_000
WRITER_IDLE_MS = 20_000


def init_app(app: Flask) -> None:
    """Give `db` an engine that only reads, and whose waits all end."""
    options: dict[str, Any] = {"hide_parameters": True}
    if not app.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):
        arguments = postgresql_arguments()
        if app.config["LEASE_DATABASE_URL"]:
            # A pooler refuses settings at the start, and knows no statement of another session.
            arguments = {**arguments, "options": "", "prepare_threshold": None}
        options |= {
            "pool_pre_ping": True,
            "pool_size": READERS,
            "max_overflow": 0,
            "pool_timeout": READER_WAIT_SECONDS,
            "connect_args": arguments,
        }
    app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", options)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    follow(engine)
    if engine.dialect.name == "sqlite":
        # It waits only during the recovery after a killed writer.
        set_pragmas(engine, "busy_timeout = 1000", "query_only = ON")


def postgresql_arguments(idle_ms: int = IDLE_MS) -> dict[str, Any]:
    """Return connection arguments with which every wait for PostgreSQL ends.

    A transaction that was begun, and in which nothing happens for `idle_ms`, is taken back.
    """
    return {
        "connect_timeout": 5,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": f"-c statement_timeout=30000 -c lock_timeout={LOCK_WAIT_MS}"
        f" -c idle_in_transaction_session_timeout={idle_ms}"
        # The server's side: a host that disappeared must not keep a lock.
        " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
    }


def lift_limits(connection: Connection) -> None:
    """Remove PostgreSQL's time limits from this connection, which must not return to a pool.

    For work without traffic beside it, or work that must end.
    """
    if connection.dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET {name} = 0")


def one_connection(url: str) -> Engine:
    """Return an engine with one connection, for a thread of its own."""
    is_postgresql = make_url(url).get_backend_name() == "postgresql"
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=is_postgresql,
        # An error's text would print the values: payloads, secrets.
        hide_parameters=True,
        connect_args=postgresql_arguments(WRITER_IDLE_MS)
        if is_postgresql
        else {"check_same_thread": False},
    )
    follow(engine)
    return engine


def set_pragmas(engine: Engine, *pragmas: str) -> None:
    """Prepare each new connection of an engine for SQLite with these pragmas, in this order."""

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", prepare)


def lock_at_begin(engine: Engine, *pragmas: str) -> None:
    """Take SQLite's write lock when a transaction begins; prepare connections with the pragmas."""

    def prepare(connection: Any, _record: object) -> None:
        # Without this the driver opens transactions itself, deferred, and a write after a read in
        # one fails at once when another process wrote in between (SQLITE_BUSY_SNAPSHOT).
        connection.isolation_level = None
        # First of all, because the other pragmas may take the write lock.
        connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")

    def begin(connection: Connection) -> None:
        execute(connection, "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    set_pragmas(engine, *pragmas)
    event.listen(engine, "begin", begin)
