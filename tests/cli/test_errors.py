from __future__ import annotations

import sqlite3
from pathlib import Path

from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from tests.support.application import TOKEN, make_company


def test_a_command_that_is_not_there_is_a_sentence(refuse: Refuse) -> None:
    assert "no such command" in refuse("company", "creat")
    assert "Name a command" in refuse("company")
    assert "no option --nonsense" in refuse("company", "--nonsense")
    assert "no option --nonsense" in refuse("status", "--nonsense")
    assert "more words" in refuse("status", "word")


def test_a_database_without_tables_says_what_to_run(tmp_path: Path) -> None:
    with world.application(f"sqlite:///{tmp_path}/empty.sqlite", tmp_path) as app:
        for words in (["status"], ["company", "create", "E", "--token", TOKEN]):
            result = app.test_cli_runner().invoke(args=words)
            assert result.exit_code == 1
            assert result.stderr == (
                "Error: The database has no tables yet: run `flask db upgrade`.\n"
            )


def test_a_database_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    with world.application("sqlite:////nonexistent/a.sqlite", tmp_path) as app:
        for words in (["status"], ["user", "grant", "a@example.com", "1"]):
            result = app.test_cli_runner().invoke(args=words)
            assert result.exit_code == 1
            assert result.stderr.startswith("Error: The database cannot be reached")
            assert result.stderr.count("\n") == 1


def test_an_unreachable_server_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://user:canary-password@127.0.0.1:4009/name"
    with world.application(url, tmp_path) as app:
        for words in (["company", "list"], ["company", "connect", "1"]):
            result = app.test_cli_runner().invoke(args=words)
            assert result.exit_code == 1
            assert result.stderr.startswith("Error: The database cannot be reached")
            assert "canary" not in result.output


def test_a_database_that_another_holds_is_a_sentence(
    app: Flask, refuse: Refuse, sqlite_url: str
) -> None:
    world.store_of(app).run(
        lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 10") and None
    )
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        sentence = refuse("company", "create", "E", "--token", TOKEN, code=1)
    finally:
        other.close()
    assert "takes no writes" in sentence


def test_a_secret_that_no_key_opens_says_what_to_do(
    app: Flask, sqlite_url: str, tmp_path: Path
) -> None:
    make_company(app)
    with world.application(sqlite_url, tmp_path, DATA_KEYS="e" * 40) as other:
        result = other.test_cli_runner().invoke(args=["company", "list"])
    assert result.exit_code == 1
    assert "DATA_KEYS" in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_output_of_any_command_has_the_token(app: Flask, run: Run) -> None:
    runner = app.test_cli_runner()
    run("company", "create", "Empresa", "--token", TOKEN)
    for words in (
        ["company", "list"],
        ["company", "list", "--json"],
        ["company", "edit", "1", "--token", TOKEN],
        ["company", "create", "Outra", "--token", TOKEN],
        ["company", "create", "Outra", "--token", f"{TOKEN} {TOKEN}"],
        ["company", "create", "Outra", "--token", "x", TOKEN],
        ["company", "connect", TOKEN],
        ["company", TOKEN],
        ["company", "create", "Outra", f"--tokn={TOKEN}"],
        ["company", "delete", "1"],
        ["webhook", "create", "1", "CRM", "http://127.0.0.1:4009/", "--timeout", TOKEN],
        ["status"],
        ["status", "--json"],
    ):
        assert TOKEN not in runner.invoke(args=words).output, words
