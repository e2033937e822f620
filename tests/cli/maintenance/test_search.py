"""A command rebuilds the index."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests.cli.conftest import Run
from tests.search.searching import Searching
from tests.support import application as world
from webhookproxy.cli.maintenance import search as command


def test_rebuild_fills_the_index_and_says_how_far_it_is(
    app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_TELL_SECONDS", 0.0)
    search = Searching(app)
    for number in range(30):
        search.store({"n": f"own-{number:03}"})
    for _ in range(2):
        said = run("search", "rebuild").stdout.splitlines()
        assert said[0] == "indexed up to event 30 of 30"
        assert said[-1].startswith("The index is rebuilt: 30 events in ")
        assert len(search.kept("events")) == 30


def test_a_database_in_memory_has_no_index(tmp_path: Path) -> None:
    with world.application("sqlite://", tmp_path) as app:
        result = app.test_cli_runner().invoke(args=["search", "rebuild"])
    assert result.exit_code == 2
    assert "keeps no index" in result.stderr


def test_an_index_that_cannot_be_written_is_one_sentence(
    app: Flask, run: Run, database_folder: Path
) -> None:
    (database_folder / "test-search.sqlite").mkdir()
    result = app.test_cli_runner().invoke(args=["search", "rebuild"])
    assert result.exit_code == 2
    assert "could not be filled" in result.stderr
    assert run("status")


def test_a_restored_backup_has_its_index_made_anew(app: Flask, run: Run, tmp_path: Path) -> None:
    search = Searching(app)
    search.store({"n": "before"})
    search.index()
    run("backup", str(tmp_path / "copy"))
    search.store({"n": "after"})
    search.index()
    run("restore", str(tmp_path / "copy"), "--yes")
    assert search.find("after") == []
    assert search.find("before") == [1]
    search.index()
    assert len(search.kept("events")) == 1
