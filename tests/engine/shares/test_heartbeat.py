"""The lease is kept while other work hangs, and every wait of a stop has a limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent.event import Event
from gevent.monkey import get_original
from sqlalchemy import Connection, text

from tests.engine.test_lifecycle import emit, running, wait_until_connected
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Receiver, hang
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.engine.shares import heartbeat, runner
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.listener.status import Status, StatusWriter


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Yield an event: until it is set, following a change waits as for a slow database."""
    mended = Event()
    follow = Relay.follow_changes

    def wait(relay: Relay) -> None:
        mended.wait()
        follow(relay)

    monkeypatch.setattr(Relay, "follow_changes", wait)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.1)
    yield mended
    mended.set()


def seen(app: Flask) -> int:
    """Return the time of the owner's last heartbeat, in milliseconds."""
    return int(rows(app, "SELECT COALESCE(MAX(heartbeat_at), 0) FROM leases")[0][0])


@pytest.mark.usefixtures("hanging")
def test_the_heart_beats_while_a_step_of_the_engine_hangs(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "STEP_SECONDS", 0.2)
    with running(app) as engine:
        wait_until(lambda: engine.health().owner)
        gevent.sleep(0)
        first = seen(app)
        wait_until(lambda: seen(app) > first + 500, 20, "heartbeats are written")
        asked = time.monotonic()
        assert engine.stop(60.0)
        assert time.monotonic() - asked < 30


@pytest.mark.usefixtures("hanging")
def test_a_lost_lease_closes_the_sockets_while_a_step_of_the_engine_hangs(
    app: Flask, simulator: SimulatorProcess
) -> None:
    token = "hanging-token-0001"
    make_company(app, simulator.url, token, connected=True)
    with running(app) as engine:
        wait_until_connected(engine)
        store_of(app).session(
            lambda session: (
                session.connection().exec_driver_sql("UPDATE leases SET fence = 50") and None
            )
        )
        simulator.wait_for_sockets(token, 0)
        assert not engine.health().owner


def test_a_slow_writer_does_not_keep_the_lock_from_being_looked_after(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    held = Ownership.held

    def counted(ownership: Ownership) -> bool:
        looks.append(time.monotonic())
        return held(ownership)

    monkeypatch.setattr(Ownership, "held", counted)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(heartbeat, "TICK", 0.05)
    with running(app) as engine:
        wait_until(lambda: engine.health().owner)
        enough = len(looks) + 6

        def held_up(_connection: Connection) -> bool:
            """Block the writer's operating system thread until there were enough looks."""
            for _ in range(1_000):
                if len(looks) >= enough:
                    return True
                get_original("time", "sleep")(0.02)
            return False

        assert store_of(app).run(held_up)


def test_no_heartbeat_is_written_before_what_happened_to_the_sockets(
    app: Flask, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "heartbeat-token-0001"
    make_company(app, simulator.url, token, connected=True)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    write = StatusWriter._write_group
    refused: list[object] = []

    def refuse(writer: StatusWriter, connection: Connection, group: list[Status]) -> None:
        if len(refused) < 3:
            # If this process died now, the next one would know only the last heartbeat.
            refused.append(connection.execute(text("SELECT heartbeat_at FROM leases")).scalar())
            raise StoreUnavailable
        write(writer, connection, group)

    with running(app) as engine:
        wait_until_connected(engine)
        wait_until(lambda: seen(app) > 0)
        monkeypatch.setattr(StatusWriter, "_write_group", refuse)
        simulator.control("drop", token=token)
        wait_until(lambda: rows(app, "SELECT COUNT(*) FROM gaps")[0][0] == 1)
    # One may have been on its way already.
    assert len(set(refused[1:])) == 1


def test_sigterm_waits_for_a_receiver_with_its_sockets_open_and_stores_what_comes(
    app: Flask, simulator: SimulatorProcess
) -> None:
    token = "draining-token-0001"
    with Receiver() as receiver:
        company = make_company(app, simulator.url, token, connected=True)
        make_webhook(app, company, receiver.url())
        receiver.answer = lambda _: hang()
        with running(app) as engine:
            wait_until_connected(engine)
            emit(simulator, token)
            receiver.wait_for(1)
            stopping = gevent.spawn(engine.stop, 8.0)
            emitted: list[Any] = []
            while not stopping.ready():
                emit(simulator, token)
                emitted.append(simulator.state(token)["sockets"])
                gevent.sleep(0.05)
            assert not stopping.get()
            heard = emitted.count(1)
            # 8 s less the time kept for the sockets, which are read for most of it.
            assert heard > len(emitted) // 3
            # An emit that is under way when the socket closes is counted here and not there.
            stored = rows(app, "SELECT COUNT(*) FROM events")[0][0] - 1
            assert heard - 2 <= stored <= heard + 1
            simulator.wait_for_sockets(token, 0)
            other = lock_for(app.config["SQLALCHEMY_DATABASE_URI"])
            assert other.take()
            other.free()
