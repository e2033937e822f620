"""F23: a database that is locked, full or read-only loses no event."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event

from tests.engine.test_lifecycle import running, wait_until_connected
from tests.faults.stream import Stream
from tests.support.application import application, migrate, rows, store_of, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database import connections
from webhookproxy.delivery.outcomes import results
from webhookproxy.engine.liveness import storing
from webhookproxy.engine.shares import heartbeat as heartbeat_module
from webhookproxy.extensions import db
from webhookproxy.listener import buffer, intake
from webhookproxy.reasons import StoringReason

Fault = Callable[[Flask], Callable[[], None]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times after which a failing database is noticed and tried again."""
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(results, "RETRY_SECONDS", 0.05)


def pragma(statement: str) -> Callable[[Connection], None]:
    """Return a job that sets a PRAGMA on the writer's only connection."""

    def job(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return job


def lock(app: Flask) -> Callable[[], None]:
    other = sqlite3.connect(file_of(app), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def fill(app: Flask) -> Callable[[], None]:
    (pages,) = rows(app, "PRAGMA page_count")[0]
    store_of(app).run(pragma(f"PRAGMA max_page_count = {pages}"))
    return lambda: store_of(app).run(pragma("PRAGMA max_page_count = 1000000"))


def forbid_writing(app: Flask) -> Callable[[], None]:
    engine: Engine = store_of(app).engine
    switch = {"on": 1}

    def prepare(connection: Any, *_: object) -> None:
        # The driver raises the same error for a read-only file.
        connection.execute(f"PRAGMA query_only = {switch['on']}")

    event.listen(engine, "checkout", prepare)
    return lambda: switch.update(on=0)


def file_of(app: Flask) -> str:
    return str(app.config["SQLALCHEMY_DATABASE_URI"]).removeprefix("sqlite:///")


def heartbeat(app: Flask) -> int:
    return int(rows(app, "SELECT heartbeat_at FROM leases")[0][0])


def reason_elsewhere(app: Flask) -> StoringReason:
    """Return the state of the store as a process without sockets sees it."""
    with app.app_context():
        return storing(db.session()).reason


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [lock, fill, forbid_writing])
def test_while_the_database_takes_nothing_it_is_said_and_what_came_is_stored_afterwards(
    app: Flask, stream: Stream, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(buffer, "BUFFER_EVENTS", 60)
    monkeypatch.setattr(intake, "GROUP_EVENTS", 10)
    with running(app) as engine:
        wait_until_connected(engine)
        stream.emit(5, 3000)
        stream.wait_for_all()
        mend = fault(app)
        stream.emit(200, 3000)
        wait_until(lambda: not engine.health().storing, 20, "it says that it stores nothing")
        wait_until(lambda: engine.health().buffered >= 60, 20, "the buffer is full")
        # Plus the group in the writer and one packet that was being read.
        assert engine.health().buffered <= 72
        assert engine.health().sockets_connected == 1
        mend()
        stream.wait_for_all()
        assert engine.health().storing
        assert engine.health().buffered == 0
    stream.check()
    assert stream.simulator.state(stream.token)["handshakes"] == 1
    assert rows(app, "PRAGMA integrity_check")[0][0] == "ok"


@pytest.mark.usefixtures("impatient")
def test_a_heartbeat_that_fits_does_not_hide_that_events_do_not(
    app: Flask, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat_module, "BEAT_SECONDS", 0.1)
    # Between two tries of the intake only heartbeats are written.
    monkeypatch.setattr(intake, "RETRY_SECONDS", 2.0)
    with running(app) as engine:
        wait_until_connected(engine)
        mend = fill(app)
        stream.emit(20, 3000)
        wait_until(lambda: not engine.health().storing, 20, "it says that it stores nothing")
        wait_until(
            lambda: reason_elsewhere(app) is StoringReason.DATABASE_REFUSES,
            20,
            "the heartbeat says it to other processes",
        )
        began, said = heartbeat(app), set()

        def beaten() -> bool:
            said.add((reason_elsewhere(app), engine.health().storing))
            return heartbeat(app) > began + 500

        wait_until(beaten, 20, "heartbeats are written all the time")
        assert said == {(StoringReason.DATABASE_REFUSES, False)}
        mend()
        stream.wait_for_all()
        wait_until(lambda: reason_elsewhere(app) is StoringReason.STORING, 20, "it is well again")
    stream.check()


@pytest.mark.slow
def test_ten_seconds_of_a_lock_are_told_by_saude_and_lose_nothing(
    app: Flask, stream: Stream, sqlite_url: str, tmp_path: Path
) -> None:
    with ServerProcess(sqlite_url, tmp_path) as server:
        server.wait_for_sockets(1)
        stream.emit(5)
        stream.wait_for_all()
        unlock = lock(app)
        stream.emit(300)
        wait_until(lambda: server.health()["status"] == 503, 20, "/saude says it")
        health = server.health()
        assert (health["storing"], health["storing_reason"]) == (False, "database_refuses")
        assert health["buffered_events"] > 0
        assert health["sockets"] == {"wished": 1, "connected": 1}
        wait_until(lambda: reason_elsewhere(app) is StoringReason.NO_OWNER, 20, "others know it")
        unlock()
        stream.wait_for_all()
        wait_until(lambda: server.health()["status"] == 200, 20, "/saude is well again")
        server.wait_until_settled()
        assert server.terminate() == 0
    stream.check()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Yield a disk in memory; skip the test where none can be mounted."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as opened:
        while True:
            opened.write(b"x" * 4096)


def test_a_full_disk_is_told_by_saude_and_loses_nothing(
    tmp_path: Path, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        url = f"sqlite:///{disk / 'test.sqlite'}"
        migrate(url)
        with application(url, tmp_path) as app, ServerProcess(url, tmp_path) as server:
            stream = Stream(app, simulator, receiver)
            stream.begin()
            server.wait_for_sockets(1)
            stream.emit(5)
            stream.wait_for_all()
            ballast = disk / "ballast"
            with pytest.raises(OSError, match="No space"):
                fill_disk(ballast)
            stream.emit(200, 50_000)
            wait_until(lambda: server.health()["status"] == 503, 20, "/saude says it")
            assert server.health()["disk"]["reason"] == "disk_nearly_full"
            ballast.unlink()
            stream.wait_for_all()
            wait_until(lambda: server.health()["status"] == 200, 20, "/saude is well again")
            server.wait_until_settled()
            assert server.terminate() == 0
            assert rows(app, "PRAGMA integrity_check")[0][0] == "ok"
            received = stream.received()
            # Finished events may have been removed early: only the arrived ones count.
            assert received == sorted(stream.sent)


def test_a_server_on_a_read_only_disk_says_so_and_begins_once_it_can_write(
    tmp_path: Path, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        url = f"sqlite:///{disk / 'test.sqlite'}"
        migrate(url)
        with application(url, tmp_path) as app:
            stream = Stream(app, simulator, receiver)
            stream.begin()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with ServerProcess(url, tmp_path) as server:
            assert server.health()["status"] == 503
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            server.wait_for_sockets(1)
            stream.emit(20)
            stream.wait_for_all()
            wait_until(lambda: server.health()["status"] == 200, 20, "/saude is well again")
            assert server.terminate() == 0
        stream.check()
