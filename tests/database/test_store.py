"""The store: groups, failures that affect only their job, the fence, outages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.support import postgresql
from tests.support.application import application, make_company, rows, store_of, wait_until
from tests.support.databases import raised
from webhookproxy.database import connections, store
from webhookproxy.database.fence import Fenced
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.database.store import GROUP_MAX, StoreUnavailable
from webhookproxy.extensions import db


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    with application(sqlite_url, tmp_path) as app:
        yield app


def add_change(number: int) -> Callable[[Connection], int]:
    """A job that writes one row; the same number twice is refused by the database."""

    def job(connection: Connection) -> int:
        connection.execute(
            text("INSERT INTO changes (number, company_id, at) VALUES (:number, 1, 0)"),
            {"number": number},
        )
        return number

    return job


def numbers(app: Flask) -> list[int]:
    return [row.number for row in rows(app, "SELECT number FROM changes ORDER BY number")]


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """Let another program hold the write lock of the SQLite file meanwhile."""
    path = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def test_a_job_that_returned_is_committed(app: Flask) -> None:
    assert store_of(app).run(add_change(7)) == 7
    assert numbers(app) == [7]


def test_jobs_that_wait_together_share_a_commit(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = store_of(app)._commit
    groups: list[int] = []

    def counted(group: list[store._Entry[int]]) -> None:
        groups.append(len(group))
        commit(group)

    monkeypatch.setattr(store_of(app), "_commit", counted)
    jobs = [gevent.spawn(store_of(app).run, add_change(n)) for n in range(1, GROUP_MAX + 11)]
    assert [job.get(timeout=60) for job in jobs] == list(range(1, GROUP_MAX + 11))
    assert groups == [GROUP_MAX, 10]
    assert len(numbers(app)) == GROUP_MAX + 10


def test_a_job_that_fails_costs_its_neighbours_nothing(app: Flask) -> None:
    def half_done(connection: Connection) -> None:
        add_change(50)(connection)
        raise ValueError("a bug in the middle")

    run = store_of(app).run
    jobs = [gevent.spawn(run, add_change(n)) for n in (1, 2, 2, 3)]
    broken = gevent.spawn(run, half_done)
    last = gevent.spawn(run, add_change(4))
    last.join(20)
    assert isinstance(jobs[2].exception, IntegrityError)
    assert isinstance(broken.exception, ValueError)
    assert numbers(app) == [1, 2, 3, 4]
    assert store_of(app).failing_since is None


def test_a_job_that_fails_alone_leaves_nothing(app: Flask) -> None:
    store_of(app).run(add_change(1))
    with pytest.raises(IntegrityError):
        store_of(app).run(add_change(1))
    assert numbers(app) == [1]
    assert store_of(app).run(add_change(2)) == 2


def test_an_error_shows_no_value(app: Flask) -> None:
    store_of(app).run(add_change(987_654))
    with pytest.raises(IntegrityError) as caught:
        store_of(app).run(add_change(987_654))
    assert "987654" not in str(caught.value).split("DETAIL")[0]


def test_a_former_owners_job_is_refused_and_its_neighbours_are_not(app: Flask) -> None:
    run = store_of(app).run
    ownership = Ownership(store_of(app), lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))
    assert ownership.take()
    fence = ownership.fence
    assert fence is not None
    former = gevent.spawn(run, add_change(1), fence=raised(fence, by=-1))
    owner = gevent.spawn(run, add_change(2), fence=fence)
    page = gevent.spawn(run, add_change(3))
    for each in (former, owner, page):
        each.join(20)
    ownership.release()
    assert isinstance(former.exception, Fenced)
    assert numbers(app) == [2, 3]


def test_a_job_that_works_with_models_is_committed_or_undone_as_a_whole(app: Flask) -> None:
    company = make_company(app, name="Primeira")
    with pytest.raises(ZeroDivisionError):
        store_of(app).session(
            lambda session: session.execute(text("UPDATE companies SET name = 'x'")) and 1 // 0
        )
    found = rows(app, "SELECT id, name FROM companies")
    assert [tuple(row) for row in found] == [(company, "Primeira")]


def test_a_locked_database_is_an_outage_that_ends_by_itself(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 50)
    with application(sqlite_url, tmp_path) as app:
        with locked(app):
            with pytest.raises(StoreUnavailable):
                store_of(app).run(add_change(1))
            assert store_of(app).failing_since is not None
        store_of(app).run(add_change(2))
        assert store_of(app).failing_since is None
        assert numbers(app) == [2]


def test_waiting_for_a_locked_database_does_not_stop_the_hub(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 300)
    with application(sqlite_url, tmp_path) as app, locked(app):
        waiting = gevent.spawn(store_of(app).run, add_change(1))
        turns = 0

        def ended() -> bool:
            nonlocal turns
            turns += 1
            return bool(waiting.dead)

        wait_until(ended, 20, "the write gives up")
        assert isinstance(waiting.exception, StoreUnavailable)
    # The condition is checked every ten milliseconds.
    assert turns > 10


def test_a_full_disk_is_an_outage_and_what_was_stored_stays(sqlite_app: Flask) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for number in range(1000, 3000):
            add_change(number)(connection)

    store_of(sqlite_app).run(add_change(1))
    with pytest.raises(StoreUnavailable):
        store_of(sqlite_app).run(fill)
    assert store_of(sqlite_app).failing_since is not None
    assert numbers(sqlite_app) == [1]
    store_of(sqlite_app).run(
        lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1000000") and None
    )
    store_of(sqlite_app).run(add_change(2))
    assert numbers(sqlite_app) == [1, 2]


@pytest.mark.postgresql
def test_a_lost_session_is_replaced(
    postgresql_server: postgresql.Server, postgresql_url: str, tmp_path: Path
) -> None:
    with application(postgresql_url, tmp_path) as app:
        store_of(app).run(add_change(1))
        postgresql_server.terminate_sessions(postgresql_url)
        store_of(app).run(add_change(2))
        assert numbers(app) == [1, 2]


def test_sqlite_writes_through_a_power_cut(sqlite_app: Flask) -> None:
    def ask(connection: Connection) -> dict[str, object]:
        asked = ("synchronous", "journal_mode", "foreign_keys", "auto_vacuum")
        return {each: connection.exec_driver_sql(f"PRAGMA {each}").scalar_one() for each in asked}

    assert store_of(sqlite_app).run(ask) == {
        "synchronous": 2,
        "journal_mode": "wal",
        "foreign_keys": 1,
        "auto_vacuum": 2,
    }


def test_a_database_that_allows_no_wal_is_refused_with_a_sentence() -> None:
    engine = store.writing_engine("sqlite://")
    with pytest.raises(RuntimeError, match="put the database on a local disk that allows WAL"):
        engine.connect()
    engine.dispose()


def test_what_pages_read_with_refuses_to_write(sqlite_app: Flask) -> None:
    with (
        sqlite_app.app_context(),
        db.engine.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        add_change(1)(connection)


def test_reading_does_not_wait_for_a_writer(sqlite_app: Flask) -> None:
    store_of(sqlite_app).run(add_change(1))
    with locked(sqlite_app):
        assert numbers(sqlite_app) == [1]


def test_what_can_wait_goes_with_the_next_write_and_in_the_end_alone(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = store_of(sqlite_app)
    commit = ours._commit
    groups: list[int] = []

    def counted(group: list[store._Entry[Any]]) -> None:
        groups.append(len(group))
        commit(group)

    monkeypatch.setattr(ours, "_commit", counted)
    patient = gevent.spawn(ours.run, add_change(1), patience=60.0)
    gevent.sleep(0)
    assert ours.run(add_change(2)) == 2
    assert patient.get(timeout=60) == 1
    assert groups == [2]
    assert ours.run(add_change(3), patience=0.01) == 3
    assert groups == [2, 1]


def test_a_closed_store_leaves_no_thread_behind(sqlite_url: str, tmp_path: Path) -> None:
    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = threads()
    for number in range(3):
        with application(sqlite_url, tmp_path) as app:
            make_company(app, token=f"token-of-company-{number}")
            app.extensions["search"].void()
    wait_until(lambda: threads() <= before, 20, "the threads end")
