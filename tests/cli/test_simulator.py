from __future__ import annotations

import sys

import pytest
from flask import Flask

from tests.cli.conftest import Refuse


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Collect the programs that would have replaced this process."""
    calls: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, words: calls.append([program, *words[1:]]))
    return calls


def test_the_process_becomes_the_simulator(app: Flask, started: list[list[str]]) -> None:
    words = ["simulator", "--port", "0", "--seed", "7", "--accept", "-token-1", "--accept", "t2"]
    assert app.test_cli_runner().invoke(args=words).exit_code == 0
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "webhookproxy.simulator"]
    assert set(command[3:]) == {
        "--port=0",
        "--host=127.0.0.1",
        "--agents=10",
        "--rate=5.0",
        "--seed=7",
        "--accept=-token-1",
        "--accept=t2",
    }


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--port", "65536"), "--port must be a whole number from 0 to 65535"),
        (("--port", "http"), "--port must be a whole number"),
        (("--agents", "0"), "--agents must be a whole number from 1 to 10000"),
        (("--rate", "-1"), "--rate must be a number from 0 to 10000"),
        (("--rate", "nan"), "--rate must be a number"),
        (("--seed", "x"), "--seed must be a whole number"),
        (("word",), "more words"),
    ],
)
def test_a_number_out_of_range_is_refused(
    words: tuple[str, ...], part: str, refuse: Refuse, started: list[list[str]]
) -> None:
    assert part in refuse("simulator", *words)
    assert started == []


def test_without_uvicorn_it_says_how_to_install_it(
    refuse: Refuse, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "bin/setup --dev" in refuse("simulator", code=1)
    assert started == []
