"""Every test runs in a process patched by gevent, and none dials anything but loopback."""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc

# What is imported and collected stays: to look for what could go takes a tenth of the time.
gc.disable()

import os
import secrets
import shutil
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_socket
from argon2 import PasswordHasher
from flask import Flask

from tests.support import application as world
from tests.support import postgresql
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.models.accounts import people

# The plugin was imported before the patch and puts back, after every test, what it saw then.
pytest_socket._true_socket = socket.socket
pytest_socket._true_connect = socket.socket.connect
pytest_socket._true_getaddrinfo = socket.getaddrinfo
pytest_socket._true_gethostbyname = socket.gethostbyname

# Hashing is meant to be slow; tests/web/login/test_pages.py has the parameters of the service.
DEPLOYED_HASHER = people.hasher
people.hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)

ROOT = Path(__file__).parent
Reusable = Callable[[str], world.ReusableApplication]
# These wait most. They are begun first, as are files with slow tests, so that no process is left
# alone with one at the end.
BEGUN_FIRST = ("faults", "whole")
# They need a process that is not patched: `bin/test` runs them in one.
collect_ignore = ["browser"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.option.allow_hosts = "127.0.0.1,::1"
    # A Unix socket leads nowhere else: the tests' PostgreSQL listens on one.
    config.option.allow_unix_socket = True
    # Told to end, as by Ctrl-C: servers that the tests started must not outlive them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The same examples in every run: a failure here means a change, not a different draw.
    thorough = hypothesis.settings(derandomize=True, deadline=None)
    hypothesis.settings.register_profile("thorough", thorough)
    hypothesis.settings.register_profile("quick", thorough, max_examples=25)
    hypothesis.settings.load_profile("thorough")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the test files that no other process of `bin/test` has begun, one after the other."""
    marks = os.environ.get("TESTS_SHARED_OUT")
    if marks is None or session.testsfailed:
        return None
    is_ours = cache(partial(_begin, Path(marks)))
    slow = {item.path for item in session.items if item.get_closest_marker("slow")}
    items = sorted(session.items, key=partial(_is_begun_later, slow))
    ours = (item for item in items if is_ours(item.path))
    for item, following in pairwise(chain(ours, [None])):
        assert item is not None
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
    return True


def _is_begun_later(slow: Collection[Path], item: pytest.Item) -> bool:
    return item.path not in slow and item.path.relative_to(ROOT).parts[0] not in BEGUN_FIRST


def _begin(marks: Path, file: Path) -> bool:
    """Whether this process is the first to begin a test file; it leaves a mark if so."""
    try:
        (marks / str(file.relative_to(ROOT)).replace("/", "-")).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def pytest_collection_finish() -> None:
    """Leave what was imported out of the collection that ends each test: it is much quicker."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A SQLite file with all tables and no rows."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    world.migrate(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture(scope="session")
def database_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the SQLite database and of the files beside it; each test finds it new."""
    return tmp_path_factory.mktemp("database")


@pytest.fixture
def sqlite_url(migrated: bytes, database_folder: Path) -> str:
    """The URL of a SQLite database of this test's own: the file is new, its address the same."""
    shutil.rmtree(database_folder)
    database_folder.mkdir()
    path = database_folder / "test.sqlite"
    path.write_bytes(migrated)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for the whole run."""
    with postgresql.running() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: postgresql.Server) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test's own: it is new, its name the same."""
    with postgresql_server.shared() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty, migrated database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def reusable(database_folder: Path) -> Reusable:
    """One application for each kind of database, for the tests that change no setting."""
    return cache(partial(world.ReusableApplication, database_folder))


@pytest.fixture
def app(reusable: Reusable, sqlite_url: str) -> Iterator[Flask]:
    """The application on a SQLite database of this test's own."""
    with reusable(sqlite_url).as_new() as app:
        yield app


@pytest.fixture
def postgresql_app(reusable: Reusable, postgresql_url: str) -> Iterator[Flask]:
    """The application on a PostgreSQL database of this test's own."""
    with reusable(postgresql_url).as_new() as app:
        yield app


@pytest.fixture
def any_app(reusable: Reusable, database_url: str) -> Iterator[Flask]:
    """The application on a database of this test's own: the test runs once on each kind."""
    with reusable(database_url).as_new() as app:
        yield app


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """3C Plus for the whole run: it counts by token, and each test has tokens of its own."""
    with SimulatorProcess() as simulator:
        yield simulator


@pytest.fixture
def token() -> str:
    """A new token: the simulator counts by token, and each test counts from 0."""
    return f"canary-{secrets.token_hex(16)}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts until a test changes it."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that a connect() is tried to; only those on loopback are let through."""
    tried: list[Any] = []
    original = socket.socket.connect

    def recorder(self: socket.socket, address: Any) -> None:
        tried.append(address)
        original(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorder)
    monkeypatch.setattr(socket.socket, "connect_ex", recorder)
    return tried
