"""How many connections to PostgreSQL a process takes, and the way past a pooler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from flask import Flask
from gevent.event import Event
from sqlalchemy import text

from tests.engine.test_lifecycle import running
from tests.support.application import KEYS, application, make_company, rows, store_of, wait_until
from tests.support.pooler import pooled
from tests.support.postgresql import OWN
from webhookproxy.database.fence import shares_of
from webhookproxy.database.ownership.locks import SILENCE_MS, AdvisoryLock, lock_for, locks_for
from webhookproxy.extensions import db

ROOT = Path(__file__).resolve().parents[2]
MOST = 10


def connections(app: Flask) -> int:
    """Return how many connections there are to the application's database, without this one."""
    query = (
        "SELECT COUNT(*) AS n FROM pg_stat_activity"
        f" WHERE datname = current_database() AND application_name <> '{OWN}'"
        " AND pid <> pg_backend_pid()"
    )
    return int(rows(app, query)[0].n)


@pytest.mark.postgresql
@pytest.mark.slow
def test_a_process_under_load_takes_no_more_than_ten(postgresql_url: str, tmp_path: Path) -> None:
    with application(postgresql_url, tmp_path) as app, application(postgresql_url, tmp_path) as two:
        for number in range(20):
            make_company(app, "http://127.0.0.1:4999", f"token-of-{number:016}", connected=True)
        with running(app) as engine:
            wait_until(lambda: engine.health().owner)
            pages = [gevent.spawn(read_slowly, app) for _ in range(40)]
            most = 0
            while not all(page.ready() for page in pages):
                most = max(most, connections(two))
            assert [page.value for page in pages] == [1] * 40
            assert 3 < most <= MOST


@pytest.mark.postgresql
def test_a_standby_keeps_five(postgresql_url: str, tmp_path: Path) -> None:
    owner = lock_for(postgresql_url)
    assert owner.take()
    with application(postgresql_url, tmp_path) as two, application(postgresql_url, tmp_path) as app:
        before = connections(two)
        with running(app):
            # One waits to be the owner, one hears what changes, one writes what it tells the owner,
            # and one or two read what the owner tells, and whom to tell if no process owns the
            # sockets.
            waits = "SELECT COUNT(*) FROM handovers WHERE waiting_at IS NOT NULL"
            wait_until(lambda: rows(two, waits)[0][0], 20, "the standby says that it waits")
            wait_until(lambda: connections(two) >= before + 4, 20, "it has its connections")
            gevent.sleep(1.2)
            assert before + 4 <= connections(two) <= before + 5
    owner.free()


def read_slowly(app: Flask) -> int:
    """Read as a page does, on a database that takes its time."""
    with app.app_context():
        return int(db.session.execute(text("SELECT 1 FROM pg_sleep(0.1)")).scalar_one())


@pytest.mark.postgresql
def test_pages_read_through_a_pooler_while_everything_else_goes_past_it(
    postgresql_url: str, tmp_path: Path
) -> None:
    with (
        pooled(postgresql_url) as url,
        application(url, tmp_path, LEASE_DATABASE_URL=postgresql_url) as app,
        running(app) as engine,
    ):
        wait_until(lambda: engine.health().owner)
        make_company(app)
        readers = [gevent.spawn(rows, app, "SELECT name FROM companies") for _ in range(30)]
        gevent.joinall(readers, timeout=60, raise_error=True)
        assert {row.name for reader in readers for row in reader.get()} == {"Empresa"}


@pytest.mark.parametrize(
    "words",
    [("flask", "status"), ("gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")],
    ids=" ".join,
)
def test_an_address_that_can_never_work_is_said_once_and_ends_the_start(
    words: tuple[str, ...],
) -> None:
    url = "postgres://ana:canary@127.0.0.1:9/db?pgbouncer=true"
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **KEYS, "DATABASE_URL": url, "PORT": "0"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode != 0
    said = [line for line in (done.stdout + done.stderr).splitlines() if "webhookproxy: " in line]
    assert len(said) == 1
    assert "DATABASE_URL has an option" in said[0]
    assert "(pgbouncer)" in said[0]
    assert "canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.postgresql
def test_a_share_that_gives_its_lock_back_ends_no_session_that_another_one_asks_on(
    postgresql_url: str,
) -> None:
    mine = locks_for(postgresql_url, shares_of(2))
    assert isinstance(mine[0], AdvisoryLock)
    session = mine[0].session
    connection = session.connect()
    asked = Event()

    def ask() -> bool:
        with session.asking():
            asked.set()
            # libev would abort this process if the connection were closed now.
            return connection.exec_driver_sql("SELECT pg_sleep(0.05)").rowcount == 1

    asking = gevent.spawn(ask)
    assert asked.wait(20)
    mine[1].free()
    assert session.connection is connection
    assert asking.get(timeout=60)
    assert session.connection is None


@pytest.mark.postgresql
def test_a_frozen_writer_lets_go_of_the_rows_of_its_leases_before_its_lock_is_free(
    postgresql_url: str, tmp_path: Path
) -> None:
    query = "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
    with application(postgresql_url, tmp_path) as app:
        setting = store_of(app).run(lambda connection: connection.exec_driver_sql(query).scalar())
    assert 0 < int(str(setting)) < SILENCE_MS
