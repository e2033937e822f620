"""Every page and form gets marked secrets, and all output is searched for them.

The answers with their headers and cookies, the log, the database's files, a backup and its copy in
PostgreSQL, the titles of the processes: nowhere a secret, and the phone in payloads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from flask import Flask

from tests.canaries.drives import (
    addresses,
    broken,
    creations,
    edits,
    errors,
    every_form,
    expired,
    filters,
    first_visit,
    guests,
    made_secrets,
    mistakes_at_the_door,
    programs,
    reader,
    running,
    tokens,
    users,
    walk,
)
from tests.canaries.marks import (
    MARK,
    PHONE,
    PHONE_SHOWN,
    URL_KEY,
    assert_prints_nothing,
    cells,
    files_of,
    shows_the_phone,
)
from tests.canaries.second import second_factor
from tests.canaries.stage import ANA, MISTAKEN, NEW_PASSWORD, SECRETS, Stage, stage
from tests.support.application import application
from tests.web.support.served import Served


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    with application(sqlite_url, tmp_path) as app:
        yield app


PAYLOADS = {("events", "payload"), ("attempts", "answer")}


def assert_nobody_was_told(stage: Stage) -> None:
    """Check that no answer has a forbidden mark, and that each made secret is in one answer."""
    for mark in (*SECRETS, MISTAKEN, URL_KEY, PHONE, PHONE_SHOWN):
        found = [(each.method, each.path, each.status) for each in stage.found(mark)]
        assert found == [], mark
    for secret in stage.made:
        assert [each.endpoint for each in stage.heard if secret in each.text][1:] == []


def assert_nothing_is_stored(stage: Stage, contents: bytes) -> None:
    for secret in (*SECRETS, *stage.made, MISTAKEN):
        assert secret.encode() not in contents, secret


def assert_cells(app: Flask, *, phone: set[tuple[str, str]]) -> None:
    stored = cells(app)
    assert {where for where, text in stored.items() if MARK in text} <= {("webhooks", "url")}
    assert {where for where, text in stored.items() if shows_the_phone(text)} == phone


def titles(stage: Stage) -> str:
    """Return what every user of the machine can see of the server's processes and threads."""
    master = psutil.Process(stage.server.pid)
    family = [master, *master.children(recursive=True)]
    threads = (each for one in family for each in Path(f"/proc/{one.pid}/task").glob("*/comm"))
    return "\n".join(
        [*(f"{one.name()} {one.cmdline()}" for one in family), *(t.read_text() for t in threads)]
    )


def assert_every_page_was_asked(stage: Stage) -> None:
    """Ask with each method; send every form also without its token."""
    asked = {(each.endpoint, each.method) for each in stage.heard}
    refused = {each.endpoint for each in stage.heard if each.status == 400}
    for method in ("GET", "POST"):
        for endpoint in addresses(stage.app, method):
            assert (endpoint, method) in asked
            assert method == "GET" or endpoint in refused, endpoint


def copy_of(app: Flask, path: Path) -> bytes:
    """A backup, in bytes."""
    result = app.test_cli_runner().invoke(args=["backup", str(path)])
    assert result.exit_code == 0, result.output
    assert_prints_nothing(result.output)
    return path.read_bytes()


def assert_nothing_is_in_backups(stage: Stage, folder: Path, postgresql_url: str) -> None:
    """Return the contents of this database, and of PostgreSQL after a copy of it."""
    first, second = folder / "first.sqlite", folder / "second.sqlite"
    assert_nothing_is_stored(stage, copy_of(stage.app, first))
    with application(postgresql_url, folder) as other:
        result = other.test_cli_runner().invoke(args=["restore", str(first), "--yes"])
        assert result.exit_code == 0, result.output
        assert_prints_nothing(result.output)
        assert_cells(other, phone=PAYLOADS)
        assert_nothing_is_stored(stage, copy_of(other, second))
    assert PHONE_SHOWN.encode() in second.read_bytes()


def drive(on: Stage) -> Served:
    """Do everything except ending things; return the administrator's browser."""
    first_visit(on)
    mistakes_at_the_door(on)
    ana = on.logged_in(ANA)
    users(ana)
    guests(on, ana)
    tokens(on, ana)
    walk(on, ana)
    programs(on)
    reader(on, ana)
    creations(ana)
    edits(ana)
    made_secrets(on, ana)
    second_factor(on, ana)
    running(on, ana)
    filters(ana)
    expired(on)
    errors(on, ana)
    return ana


@pytest.mark.slow
@pytest.mark.postgresql
def test_no_page_shows_prints_or_stores_a_secret(
    app: Flask, sqlite_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    with stage(app, sqlite_url, tmp_path) as on:
        ana = drive(on)
        # While the server runs, with the rows that are only in the write-ahead log.
        assert_nothing_is_stored(on, files_of(sqlite_url))
        assert_cells(app, phone=PAYLOADS)
        assert_nothing_is_in_backups(on, tmp_path, postgresql_url)
        every_form(on, ana)
        assert_nothing_is_stored(on, files_of(sqlite_url))
        assert broken(on, on.logged_in(ANA, NEW_PASSWORD)) >= {200, 500, 503}
        assert MARK not in titles(on)
        assert on.server.terminate() == 0
    assert_every_page_was_asked(on)
    assert_nobody_was_told(on)
    assert_prints_nothing(on.server.output)
    # The searched text exists.
    assert len(on.heard) > 300
    assert on.found("<h1>")
    assert "a page failed" in on.server.output
    assert len(on.made) == 23
