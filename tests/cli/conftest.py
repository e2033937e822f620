from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests import world

Run = Callable[..., Result]
Refuse = Callable[..., str]


def make_company(app: Flask, **fields: Any) -> int:
    """A company whose socket nobody connects; its number."""
    return world.make_company(app, **{"socket_url": "http://127.0.0.1:4000", **fields})


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


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on a database of its own."""
    with world.application(sqlite_url, tmp_path) as app:
        yield app


@pytest.fixture
def run(app: Flask) -> Run:
    """Runs a command that must succeed; `stdin` is what is piped into it."""
    runner = app.test_cli_runner()

    def run(*words: str, stdin: str | None = None) -> Result:
        result = runner.invoke(args=list(words), input=stdin)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def refuse(app: Flask) -> Refuse:
    """Runs a command that must be refused; the one sentence that it says, and nothing else."""
    runner = app.test_cli_runner()

    def refuse(*words: str, stdin: str | None = None, code: int = 2) -> str:
        result = runner.invoke(args=list(words), input=stdin)
        assert result.exit_code == code, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("Error: ")
        assert lines[0].endswith("."), lines[0]
        return lines[0].removeprefix("Error: ")

    return refuse
