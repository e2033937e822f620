from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

Run = Callable[..., Result]
Refuse = Callable[..., str]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs a command, which must succeed; `stdin` is its input."""
    runner = app.test_cli_runner()

    def run(*words: str, stdin: str | None = None) -> Result:
        result = runner.invoke(args=list(words), input=stdin)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def refuse(app: Flask) -> Refuse:
    """Return a function that runs a command, which must be refused, and returns its sentence."""
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
