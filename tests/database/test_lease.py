"""One process owns the sockets, the next one takes over, and the fence tells them apart."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from flask import Flask
from sqlalchemy import event

from tests.support import postgresql
from tests.support.application import application, rows, store_of, wait_until
from tests.support.databases import QUICK_ON_SQLITE, raised
from tests.support.pooler import pooled
from webhookproxy.config.keys import ConfigError
from webhookproxy.database.fence import Fence, Fenced, shares_of
from webhookproxy.database.ownership.lease import Ownership, SchemaBehind
from webhookproxy.database.ownership.locks import (
    Lock,
    lock_for,
    locks_for,
    refuse_shared_sessions,
)
from webhookproxy.engine.owners import read_owners
from webhookproxy.extensions import db

HOLD = """
import sys
from webhookproxy.database.ownership.locks import lock_for
lock = lock_for(sys.argv[1])
print(lock.take(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


@pytest.fixture
def lock(database_url: str) -> Iterator[Lock]:
    lock = lock_for(database_url)
    yield lock
    lock.free()


def ownership_in(app: Flask) -> Ownership:
    return Ownership(store_of(app), lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))


def execute(app: Flask, statement: str) -> None:
    store_of(app).run(lambda connection: connection.exec_driver_sql(statement) and None)


@contextmanager
def another_process(url: str) -> Iterator[tuple[subprocess.Popen[str], bool]]:
    """Start a process that tries to take the lock and stays; return whether it has it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip() == "True"
        process.kill()


@QUICK_ON_SQLITE
def test_what_another_process_holds_is_not_given_until_it_is_killed(
    database_url: str, lock: Lock
) -> None:
    with another_process(database_url) as (other, took):
        assert took
        assert not lock.take()
        assert not lock.held()
        other.send_signal(signal.SIGKILL)
        wait_until(lock.take, 20, "the lock is free")
    assert lock.held()


@QUICK_ON_SQLITE
def test_another_process_does_not_get_what_is_held_here(database_url: str, lock: Lock) -> None:
    assert lock.take()
    assert lock.take()
    with another_process(database_url) as (_, took):
        assert not took
    assert lock.held()
    lock.free()
    with another_process(database_url) as (_, took):
        assert took


def test_two_locks_of_one_process_exclude_each_other_too(database_url: str, lock: Lock) -> None:
    other = lock_for(database_url)
    assert lock.take()
    assert not other.take()
    lock.free()
    assert other.take()
    other.free()


def test_each_new_owner_has_a_higher_fence(app: Flask) -> None:
    first, second = ownership_in(app), ownership_in(app)
    assert first.take()
    assert first.take()
    fence = first.fence
    assert fence == Fence(dict.fromkeys(range(64), 1))
    assert not second.take()
    assert second.fence is None
    first.release()
    assert second.take()
    assert second.fence == raised(fence)
    second.release()


def test_the_owner_says_that_it_lives_on_the_databases_clock(app: Flask) -> None:
    ownership = ownership_in(app)
    with app.app_context():
        assert read_owners(db.session()).seen_ms is None
    assert not ownership.beat()
    assert ownership.take()
    assert ownership.beat()
    with app.app_context():
        seen = read_owners(db.session()).seen_ms
    assert seen is not None
    assert 0 <= seen < 60_000
    ownership.release()


def test_an_owner_whose_fence_was_raised_learns_it_at_its_next_beat(app: Flask) -> None:
    ownership = ownership_in(app)
    assert ownership.take()
    store_of(app).session(
        lambda session: session.connection().exec_driver_sql("UPDATE leases SET fence = 9") and None
    )
    with pytest.raises(Fenced):
        ownership.beat()
    ownership.release()


def test_the_row_says_which_process_holds_the_lease(app: Flask) -> None:
    ownership = ownership_in(app)
    assert ownership.take()
    ownership.release()
    found = rows(app, "SELECT shard, holder FROM leases ORDER BY shard")
    assert [row.shard for row in found] == list(range(64))
    assert {row.holder for row in found} == {ownership.holder}


@pytest.mark.postgresql
def test_an_owner_that_lost_its_session_owns_nothing_any_more(
    postgresql_server: postgresql.Server, postgresql_url: str, tmp_path: Path
) -> None:
    with application(postgresql_url, tmp_path) as app:
        ownership, other = ownership_in(app), ownership_in(app)
        assert ownership.take()
        postgresql_server.terminate_sessions(postgresql_url)
        assert not ownership.beat()
        assert ownership.fence is None
        assert other.take()
        other.release()


def test_a_schema_older_than_the_program_is_waited_for_and_a_newer_one_is_not(app: Flask) -> None:
    ownership, other = ownership_in(app), ownership_in(app)
    for statement in (
        "UPDATE alembic_version SET version_num = '0000'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ):
        execute(app, statement)
        with pytest.raises(SchemaBehind):
            ownership.take()
        assert ownership.fence is None
    execute(app, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    execute(app, "INSERT INTO alembic_version VALUES ('9999')")
    assert other.take()
    other.release()


@pytest.mark.postgresql
def test_a_standby_asks_on_the_connection_that_it_has(postgresql_url: str) -> None:
    lock, standby = lock_for(postgresql_url), lock_for(postgresql_url)
    assert lock.take()
    opened: list[object] = []
    event.listen(standby.session.engine, "connect", lambda *_: opened.append(None))  # type: ignore[attr-defined]
    for _ in range(5):
        assert not standby.take()
    assert len(opened) == 1
    lock.free()
    assert standby.take()
    assert len(opened) == 1
    standby.free()


def test_a_postgresql_that_is_away_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    lock = lock_for("postgresql+psycopg://ana:canary@127.0.0.1:9/name")
    for _ in range(3):
        assert not lock.take()
    assert [record.message for record in caplog.records] == [
        "cannot ask PostgreSQL for the lease: OperationalError"
    ]


def test_a_slow_name_of_the_database_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def slow(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        gevent.sleep(0.2)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    lock = lock_for("postgresql+psycopg://ana@slow.example/name")
    taking = gevent.spawn(lock.take)
    gevent.sleep(0.05)
    assert asked == ["slow.example"]
    assert not taking.ready()
    assert taking.get(timeout=60) is False


@pytest.mark.postgresql
def test_a_pooler_that_shares_sessions_is_refused_and_leaves_no_lock(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pooled(postgresql_url) as url:
        lock = lock_for(url)
        assert not lock.take()
        assert not lock.take()
        with pytest.raises(ConfigError, match="LEASE_DATABASE_URL"):
            refuse_shared_sessions(url)
    assert len(caplog.records) == 1
    assert "connection pooler in transaction mode" in caplog.records[0].message
    direct = lock_for(postgresql_url)
    assert direct.take()
    refuse_shared_sessions(postgresql_url)
    direct.free()


@pytest.mark.postgresql
def test_each_share_has_a_lock_of_its_own_and_no_shard_two_owners(postgresql_url: str) -> None:
    def locks(count: int) -> list[Lock]:
        return locks_for(postgresql_url, shares_of(count))

    whole, quarters, others, eighths = locks(1)[0], locks(4), locks(4), locks(8)
    assert quarters[0].take()
    assert quarters[3].take()
    assert [each.take() for each in others] == [False, True, True, False]
    # No process owns all while another owns some, and no other number of shares overlaps.
    assert not whole.take()
    assert not any(each.take() for each in eighths)
    quarters[0].free()
    assert quarters[3].held()
    assert others[0].take()
    for each in (*quarters, *others):
        each.free()
    assert whole.take()
    assert not any(each.take() for each in (*quarters, *eighths))
    whole.free()
    assert all(each.take() for each in eighths)
    for each in eighths:
        each.free()


@pytest.mark.postgresql
def test_a_cut_session_frees_the_locks_of_all_shares(
    postgresql_server: postgresql.Server, postgresql_url: str
) -> None:
    mine, others = (locks_for(postgresql_url, shares_of(2)) for _ in range(2))
    assert all(each.take() for each in mine)
    assert not mine[1].is_cut()
    postgresql_server.terminate_sessions(postgresql_url)
    # An owner looks for that more often than it asks.
    wait_until(mine[1].is_cut, 20, "the end of the session is seen")
    assert not mine[1].held()
    assert mine[0].is_cut()
    assert not mine[0].held()
    assert all(each.take() for each in others)
    assert not any(each.take() for each in mine)
    for each in others:
        each.free()
