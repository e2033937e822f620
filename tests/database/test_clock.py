"""The installation's time: whatever a machine's clock says, it is the database's."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import pytest
from flask import Flask
from gevent.event import Event
from sqlalchemy import Connection, text

from tests.support.application import store_of, wait_until
from webhookproxy.database import clock as clocks
from webhookproxy.database.clock import Clock, process_clock, seconds_now
from webhookproxy.extensions import db

HOUR = 3_600.0


class Machine:
    """A machine whose clocks a test moves, beside a database's."""

    def __init__(self, wrong: float) -> None:
        self.true, self.wrong, self.since_boot = 1_000_000.0, wrong, 50.0
        # How long a question takes on its way, and the answer on its.
        self.there = self.back = 0.0
        self.database_wrong = 0.0
        self.clock = Clock(lambda: self.true + self.wrong, lambda: self.since_boot)

    def pass_time(self, seconds: float) -> None:
        """Let time go by everywhere."""
        self.true += seconds
        self.since_boot += seconds

    def look(self) -> None:
        """Compare as a process does."""

        def ask() -> float:
            self.pass_time(self.there)
            said = self.true + self.database_wrong
            self.pass_time(self.back)
            return said

        self.clock.compare(ask)

    def error(self) -> float:
        """How far the clock's time is from the true one."""
        return self.clock.seconds() - self.true


def test_without_a_database_that_says_its_time_it_is_the_machines() -> None:
    machine = Machine(-HOUR)
    assert machine.error() == -HOUR
    machine.wrong = HOUR
    assert machine.error() == HOUR


@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 0.0])
def test_a_machines_clock_that_is_wrong_or_set_changes_nothing(wrong: float) -> None:
    machine = Machine(wrong)
    machine.look()
    assert machine.error() == 0
    for step in (-HOUR, 2 * HOUR, -0.5):
        machine.wrong += step
        machine.pass_time(3.0)
        assert machine.error() == 0
        machine.look()
        assert machine.error() == 0


@pytest.mark.parametrize(("there", "back"), [(0.0, 4.0), (4.0, 0.0), (2.0, 2.0)])
def test_a_slow_answer_moves_the_time_only_by_what_it_proves(there: float, back: float) -> None:
    near = Machine(0.0)
    near.there, near.back = there, back
    near.look()
    assert near.error() == 0
    far = Machine(HOUR)
    far.there, far.back = there, back
    far.look()
    assert abs(far.error()) <= there + back
    far.there = far.back = 0.0
    far.look()
    assert far.error() == 0
    # And later ones undo nothing.
    far.there, far.back = there, back
    far.look()
    assert far.error() == 0


def test_a_database_whose_time_is_set_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(1.0)
    machine.look()
    assert not caplog.messages
    machine.database_wrong = -HOUR
    machine.look()
    assert machine.error() == -HOUR
    assert caplog.messages == [
        "the database's time is 3600 s behind ours: all times and ages follow it"
    ]


def read(app: Flask) -> None:
    """Read as a page does."""
    with app.app_context():
        db.session.execute(text("SELECT 1"))
        db.session.remove()


def write(app: Flask) -> None:
    """Write as a job does."""

    def job(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT 1")

    store_of(app).run(job)


@pytest.fixture
def hour_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine's clock be an hour behind."""
    monkeypatch.setattr(process_clock, "_wall", lambda: time.time() - HOUR)


@pytest.mark.postgresql
@pytest.mark.usefixtures("hour_behind")
@pytest.mark.parametrize("use", [read, write])
def test_postgresqls_time_counts_from_the_first_connection_on(
    postgresql_app: Flask, use: Callable[[Flask], None]
) -> None:
    # What was left of an app before may have connected.
    process_clock.forget()
    assert seconds_now() < time.time() - HOUR / 2
    use(postgresql_app)
    assert abs(seconds_now() - time.time()) < HOUR / 2
    # What was asked at the beginning of a connection is no transaction of it.
    with postgresql_app.app_context(), db.engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        assert raw.info.transaction_status.name == "IDLE"


@pytest.mark.postgresql
def test_a_server_goes_on_comparing(postgresql_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "LOOK_SECONDS", 0.01)
    read(postgresql_app)
    with postgresql_app.app_context():
        looking = gevent.spawn(clocks.keep_looking, db.engine, stopped := Event())
    try:
        monkeypatch.setattr(process_clock, "_ahead", time.time() - HOUR - time.monotonic())
        wait_until(lambda: abs(seconds_now() - time.time()) < HOUR / 2, 20, "the time is right")
    finally:
        stopped.set()
        looking.get(timeout=60)


@pytest.mark.usefixtures("hour_behind")
def test_sqlites_time_is_the_machines(app: Flask) -> None:
    process_clock.forget()
    read(app)
    write(app)
    with app.app_context():
        clocks.keep_looking(db.engine, Event())
    assert seconds_now() < time.time() - HOUR / 2
