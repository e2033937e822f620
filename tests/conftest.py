"""Every test runs in a process patched by gevent, and none dials anything but loopback."""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_socket
from flask import Flask

from tests.support import application as world
from tests.support import postgresql

# The plugin was imported before the patch and puts back, after every test, what it saw then.
pytest_socket._true_socket = socket.socket
pytest_socket._true_connect = socket.socket.connect
pytest_socket._true_getaddrinfo = socket.getaddrinfo
pytest_socket._true_gethostbyname = socket.gethostbyname


# They need a process that is not patched: `bin/test` runs them in one.
collect_ignore = ["browser"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.allow_hosts = "127.0.0.1,::1"
    # A Unix socket leads nowhere else: the tests' PostgreSQL listens on one.
    config.option.allow_unix_socket = True
    # The same examples in every run: a failure here means a change, not a different draw.
    hypothesis.settings.register_profile("fixed", derandomize=True)
    hypothesis.settings.load_profile("fixed")


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collection that ends each test: it is much quicker."""
    gc.freeze()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    world.migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def sqlite_url(migrated: bytes, tmp_path: Path) -> str:
    """The URL of a SQLite database of this test's own."""
    path = tmp_path / "test.sqlite"
    path.write_bytes(migrated)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for the whole run."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: postgresql.Server) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test's own."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty, migrated database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on a SQLite database of its own."""
    with world.application(sqlite_url, tmp_path) as app:
        yield app


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a connect() is tried to, while the test runs."""
    tried: list[Any] = []
    original = socket.socket.connect

    def recorder(self: socket.socket, address: Any) -> None:
        tried.append(address)
        original(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorder)
    return tried
