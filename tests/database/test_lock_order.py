"""Two processes that write the same rows of PostgreSQL wait for each other, and lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine

from tests.support.application import application, store_of, wait_until


@pytest.mark.postgresql
def test_who_locks_only_the_health_comes_after_who_locks_deliveries(
    postgresql_url: str, tmp_path: Path
) -> None:
    with application(postgresql_url, tmp_path) as app:
        prepare_two_rows(app)
        store, other = store_of(app), create_engine(postgresql_url)
        with other.connect() as cancelling:
            # As a cancel in another process does: the delivery, and then the health.
            cancelling.exec_driver_sql(LOCK_DELIVERY)
            journal = gevent.spawn(store.run, lock(LOCK_HEALTH), late=True)
            results = gevent.spawn(store.run, lock(LOCK_DELIVERY, LOCK_HEALTH))
            gevent.sleep(0.2)
            cancelling.exec_driver_sql("SET lock_timeout = '20s'")
            cancelling.exec_driver_sql(LOCK_HEALTH)
            cancelling.commit()
        for writing in (journal, results):
            writing.get(timeout=60)
        assert store.failing_since is None
        other.dispose()


@pytest.mark.postgresql
def test_a_deadlock_with_another_process_is_no_outage(
    postgresql_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with application(postgresql_url, tmp_path) as app:
        prepare_two_rows(app)
        store, other = store_of(app), create_engine(postgresql_url)
        with other.connect() as cancelling:
            cancelling.exec_driver_sql("SET deadlock_timeout = '1min'")
            cancelling.exec_driver_sql(LOCK_DELIVERY)
            has_health: list[bool] = []

            def wrong(connection: Connection) -> None:
                # The store's transaction is the one that is given up.
                lock("SET LOCAL deadlock_timeout = '100ms'", LOCK_HEALTH)(connection)
                if not has_health:
                    has_health.append(True)
                    wait_for_another(connection)
                lock(LOCK_DELIVERY)(connection)

            writing = gevent.spawn(store.run, wrong)
            wait_until(lambda: has_health, 20, "the store has the health")
            cancelling.exec_driver_sql(LOCK_HEALTH)
            cancelling.commit()
        writing.get(timeout=60)
        assert store.failing_since is None
        assert "takes no writes" not in caplog.text
        other.dispose()


LOCK_DELIVERY = "UPDATE revision SET number = number + 1"
LOCK_HEALTH = "UPDATE leases SET fence = fence + 1"


def prepare_two_rows(app: Flask) -> None:
    """Two rows of two tables that stand for a delivery and its webhook's health."""
    given = "INSERT INTO leases (shard, fence, holder, last_event_id, last_delivery_id)"
    store_of(app).run(lock(f"{given} VALUES (0, 1, '', 0, 0)"))


def wait_for_another(connection: Connection) -> None:
    """Wait until another session waits for a lock."""
    for _ in range(6_000):
        if connection.exec_driver_sql("SELECT COUNT(*) FROM pg_locks WHERE NOT granted").scalar():
            return
        connection.exec_driver_sql("SELECT pg_sleep(0.01)")


def lock(*statements: str) -> Callable[[Connection], None]:
    """Return a job that runs these statements."""

    def job(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    return job
