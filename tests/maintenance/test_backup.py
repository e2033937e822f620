"""Backups: made beside traffic, restored into either kind of database, or refused."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy import inspect, text

from tests.delivery.lanes_world import Sending
from tests.support import application as world
from tests.support.application import (
    KEYS,
    application,
    make_company,
    make_webhook,
    rows,
    store_of,
)
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.maintenance.backup import make_backup
from webhookproxy.models.webhooks import live_webhooks

HOOK = "http://127.0.0.1:4001/"


@pytest.fixture
def other_url(
    request: pytest.FixtureRequest, database_url: str, migrated: bytes, tmp_path: Path
) -> str:
    """Return a database of the other kind than `database_url`."""
    if database_url.startswith("sqlite"):
        url: str = request.getfixturevalue("postgresql_url")
        return url
    path = tmp_path / "other.sqlite"
    path.write_bytes(migrated)
    return f"sqlite:///{path}"


def command(app: Flask, *words: str) -> str:
    """Run a command that succeeds; return its output."""
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == 0, result.output
    return result.output


def refusal(app: Flask, *words: str, code: int = 2) -> str:
    """Run a command that is refused; return its sentence."""
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def everything(app: Flask) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, except the lease, which a restore changes."""
    with app.app_context():
        tables = set(inspect(db.engine).get_table_names()) - {"leases", "alembic_version"}
    found = {}
    for table in sorted(tables):
        found[table] = sorted(tuple(row) for row in rows(app, f"SELECT * FROM {table}"))
    return found


def filters_of(app: Flask) -> list[Any]:
    """Return the filters of each webhook."""
    with app.app_context():
        return [webhook.input().filters for webhook in live_webhooks(db.session(), [1])]


def fill(half: Sending) -> None:
    """Store rows of most kinds, some waiting, and create and delete a company."""
    filters = {"y": (Condition("a", Operator.EQUAL, "ção"),)}
    given = {"events": ("x",), "filters": filters, "secret": "ção", "rate_limit": 0.5}
    make_webhook(half.app, half.company, HOOK, **given)
    half.webhook(HOOK)
    half.store_events(30)
    gone = make_company(half.app, token="token-of-a-company-that-went")
    half.execute(f"DELETE FROM connections WHERE company_id = {gone}")
    half.execute(f"DELETE FROM companies WHERE id = {gone}")
    world.make_secured_user(half.app, "ana@exemplo.com.br")


def test_a_backup_holds_everything_and_no_keys_and_is_for_its_user_only(
    half: Sending, tmp_path: Path
) -> None:
    fill(half)
    file = tmp_path / "backup.sqlite"
    said = command(half.app, "backup", str(file))
    assert "60 waiting deliveries" in said
    assert "keep DATA_KEYS" in said
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.glob("backup*")] == ["backup.sqlite"]
    stored = file.read_bytes()
    for secret in KEYS.values():
        assert secret.encode() not in stored
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
        assert copy.execute("SELECT COUNT(*) FROM events").fetchone() == (30,)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_was_lost_comes_back_as_it_was(half: Sending, tmp_path: Path) -> None:
    fill(half)
    # The database itself refuses to delete an entry as young as this one.
    half.execute(
        "INSERT INTO audit (at, who, action, subject, address, detail)"
        f" VALUES ({round(half.clock() * 1000)}, 'ana', 'signed_in', '', '', '')"
    )
    file = tmp_path / "backup.sqlite"
    before = everything(half.app)
    command(half.app, "backup", str(file))
    half.end()
    half.execute("DELETE FROM deliveries")
    half.execute("UPDATE companies SET name = 'Outra'")
    assert "which would be replaced" in refusal(half.app, "restore", str(file))
    assert everything(half.app) != before
    said = command(half.app, "restore", str(file), "--yes")
    assert "60 waiting deliveries" in said
    assert "again, with the same id" in said
    assert everything(half.app) == before


def test_a_backup_is_restored_into_the_other_kind_of_database_too(
    half: Sending, other_url: str, tmp_path: Path
) -> None:
    fill(half)
    file = tmp_path / "backup.sqlite"
    wanted = everything(half.app)
    command(half.app, "backup", str(file))
    numbers = half.company + 2
    with application(other_url, tmp_path) as other:
        command(other, "restore", str(file))
        found = everything(other)
        assert found.keys() == wanted.keys()
        for table in wanted:
            assert len(found[table]) == len(wanted[table]), table
        factors = ("second_factors", "recovery_codes")
        for table in ("events", "deliveries", "webhook_health", "companies", *factors):
            assert found[table] == wanted[table]
        (row,) = rows(other, "SELECT events FROM webhooks WHERE events IS NOT NULL")
        assert row.events in (["x"], '["x"]')
        assert filters_of(other) == filters_of(half.app)
        # The number of a deleted company is not used again.
        assert make_company(other, token="the-next-company-0001") == numbers


def test_no_owner_of_before_is_one_afterwards(half: Sending, tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    command(half.app, "backup", str(file))
    half.end()
    half.execute("UPDATE leases SET fence = 77")
    command(half.app, "restore", str(file), "--yes")
    assert {row.fence for row in rows(half.app, "SELECT fence FROM leases")} == {78}
    ownership = Ownership(half.store, lock_for(half.app.config["SQLALCHEMY_DATABASE_URI"]))
    assert ownership.take()
    assert not ownership.continued
    ownership.release()


def test_while_a_server_owns_the_sockets_nothing_is_restored(half: Sending, tmp_path: Path) -> None:
    fill(half)
    file = tmp_path / "backup.sqlite"
    command(half.app, "backup", str(file))
    before = everything(half.app)
    assert "A server is running" in refusal(half.app, "restore", str(file), "--yes")
    assert everything(half.app) == before


def test_a_backup_is_not_written_over_a_file_nor_where_it_cannot_be(
    half: Sending, tmp_path: Path
) -> None:
    file = tmp_path / "backup.sqlite"
    file.write_text("something dear")
    assert "exists already" in refusal(half.app, "backup", str(file))
    assert file.read_text() == "something dear"
    assert "No such file" in refusal(half.app, "backup", str(tmp_path / "nowhere" / "b.sqlite"))
    assert "does not exist" in refusal(half.app, "restore", str(tmp_path / "missing"))


def test_of_a_folder_of_backups_only_the_newest_are_kept(half: Sending, tmp_path: Path) -> None:
    fill(half)
    folder = tmp_path / "copies"
    folder.mkdir()
    old = [f"webhookproxy-2026010{day}T030000Z.sqlite" for day in range(1, 6)]
    for name in (*old, "webhookproxy-mine.sqlite", "notes.txt"):
        (folder / name).touch()
    said = command(half.app, "backup", "--keep", "3", str(folder))
    names = sorted(path.name for path in folder.iterdir())
    assert names[:1] == ["notes.txt"]
    assert names[1:3] == old[3:]
    assert names[-1] == "webhookproxy-mine.sqlite"
    assert re.fullmatch(r"webhookproxy-\d{8}T\d{6}Z\.sqlite", names[3])
    assert f"{folder / names[3]} holds everything as it was" in said
    assert len(names) == 5
    recorded = rows(half.app, "SELECT who, detail FROM audit WHERE action = 'backup_made'")
    assert recorded == [("cli", names[3])]


def test_where_no_backup_can_be_made_none_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    old = folder / "webhookproxy-20260101T030000Z.sqlite"
    old.touch()
    with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
        assert "no tables yet" in refusal(app, "backup", "--keep", "1", str(folder))
        assert "File exists" in refusal(app, "backup", "--keep", "1", str(old))
    assert list(folder.iterdir()) == [old]


def test_a_backup_that_cannot_be_recorded_is_as_good(
    half: Sending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_job: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(half.app.extensions["store"], "session", refuse)
    said = command(half.app, "backup", str(tmp_path / "backup.sqlite"))
    assert "holds everything" in said
    assert "/saude will not know of this backup" in said


def test_a_database_without_tables_is_not_backed_up(tmp_path: Path) -> None:
    with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
        assert "no tables yet" in refusal(app, "backup", str(tmp_path / "b.sqlite"))
    assert not (tmp_path / "b.sqlite").exists()


def test_a_backup_made_in_the_middle_of_traffic_is_whole_and_holds_nobody_up(
    half: Sending, tmp_path: Path
) -> None:
    half.webhook(HOOK)
    half.store_events(2000)
    going, slowest = [True], [0.0]

    def write() -> None:
        loop = gevent.get_hub().loop
        while going:
            began = loop.now()
            half.store_events(5)
            loop.update_now()
            slowest[0] = max(slowest[0], loop.now() - began)
            gevent.sleep(0)

    writer = gevent.spawn(write)
    gevent.sleep(0)
    file = tmp_path / "backup.sqlite"

    def backup() -> int:
        # Without the command, which also records it: only the store's own thread may wait for it.
        with half.app.app_context():
            return make_backup(db.engine, file)

    made = gevent.get_hub().threadpool.spawn(backup)
    made.get(timeout=60)
    going.clear()
    writer.join(20)
    # A writer that was held up would wait for as long as the store waits for a lock, and fail.
    assert slowest[0] < 10
    with closing(sqlite3.connect(file)) as copy:
        events = copy.execute("SELECT COUNT(*) FROM events").fetchone()[0]
        orphans = copy.execute(
            "SELECT COUNT(*) FROM deliveries WHERE event_id NOT IN (SELECT id FROM events)"
        ).fetchone()[0]
        created = copy.execute("SELECT created FROM webhook_health").fetchone()[0]
        deliveries = copy.execute("SELECT COUNT(*) FROM deliveries").fetchone()[0]
    assert events >= 2000
    assert (orphans, created) == (0, deliveries)


def test_what_waited_in_a_backup_is_delivered_after_it_was_restored(
    half: Sending, database_url: str, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        half.webhook(receiver.url())
        half.store_events(25)
        stored = {row.public_id for row in rows(half.app, "SELECT public_id FROM events")}
        file = tmp_path / "backup.sqlite"
        command(half.app, "backup", str(file))
        half.end()
        store_of(half.app).run(
            lambda connection: connection.execute(text("DELETE FROM deliveries")) and None
        )
        command(half.app, "restore", str(file), "--yes")
        with ServerProcess(database_url, tmp_path) as server:
            receiver.wait_for(25)
            server.wait_until_settled()
        came = [json.loads(each.body)["meta"]["event_id"] for each in receiver.requests]
        assert sorted(came) == sorted(stored)
