"""A restore that cannot be done changes nothing, and says why."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.delivery.lanes_world import Sending
from tests.maintenance.test_backup import command, everything, fill, refusal
from tests.support.application import application, make_company, rows
from webhookproxy.maintenance import backup


def not_sqlite(file: Path) -> None:
    file.write_bytes(b"PGDMP" + os.urandom(5000))


def cut(file: Path) -> None:
    with file.open("rb+") as opened:
        opened.truncate(file.stat().st_size // 2 // 4096 * 4096 + 100)


def scratched(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:40_960] = os.urandom(36_864)
    file.write_bytes(data)


def of_something_else(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE something (id INTEGER)")
        other.commit()


def of_the_future(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()


@pytest.mark.parametrize("spoil", [not_sqlite, cut, scratched, of_something_else, of_the_future])
def test_a_bad_file_changes_nothing(
    half: Sending, tmp_path: Path, database_folder: Path, spoil: Callable[[Path], None]
) -> None:
    fill(half)
    file = tmp_path / "backup.sqlite"
    command(half.app, "backup", str(file))
    half.end()
    before, names = everything(half.app), {each.name for each in database_folder.iterdir()}
    spoil(file)
    sentence = refusal(half.app, "restore", str(file), "--yes")
    assert ("newer version" if spoil is of_the_future else "backup") in sentence
    assert everything(half.app) == before
    lock = {"test.sqlite.lock"}
    assert {each.name for each in database_folder.iterdir()} - lock == names - lock
    assert list(tmp_path.iterdir()) == [file]


def test_a_backup_whose_secrets_no_key_opens_is_refused(half: Sending, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    command(half.app, "backup", str(file))
    fresh = f"sqlite:///{tmp_path / 'fresh.sqlite'}"
    with application(fresh, tmp_path, DATA_KEYS="e" * 40) as other:
        assert "None of the DATA_KEYS opens" in refusal(other, "restore", str(file), code=1)
    assert not (tmp_path / "fresh.sqlite").exists()
    # The keys are global in this process: other tests need their own.
    with application(fresh, tmp_path) as other:
        command(other, "restore", str(file))
        assert rows(other, "SELECT COUNT(*) FROM companies")[0][0] == 1


@pytest.mark.postgresql
def test_a_restore_works_as_long_as_it_must_and_says_in_words_what_stopped_it(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.sqlite"
    with application(postgresql_url, tmp_path) as app:
        make_company(app)
        command(app, "backup", str(file))
        before = everything(app)
        found: list[str] = []

        def look_and_fail(_source: Connection, target: Connection) -> None:
            found.append(target.exec_driver_sql("SHOW statement_timeout").scalar_one())
            target.exec_driver_sql("DELETE FROM grants")
            target.exec_driver_sql("INSERT INTO revision VALUES (1, 1)")

        monkeypatch.setattr(backup, "copy_rows", look_and_fail)
        sentence = refusal(app, "restore", str(file), "--yes")
        assert "did not take the copy (UniqueViolation), so nothing was changed" in sentence
        assert found == ["0"]
        assert everything(app) == before
