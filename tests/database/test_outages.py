"""A database or connection that fails at a bad moment loses no stored event."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import gevent
import pytest
from engineio import packet
from flask import Flask
from gevent.event import Event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.engine.test_lifecycle import running
from tests.support import postgresql
from tests.support.application import application, make_company, rows, store_of, wait_until
from webhookproxy.broadcast import Broadcast
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.listener.client import Socket
from webhookproxy.listener.intake import Feed
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.listener.token_check import Ignoring
from webhookproxy.logs.console import Console
from webhookproxy.models import Company
from webhookproxy.models.companies import find_company, wish_connection
from webhookproxy.reasons import ConnectionReason, ConnectionState


def test_a_change_that_could_not_be_applied_is_applied_at_the_next_tick(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = make_company(app, "http://127.0.0.1:4999")
    with running(app) as engine:
        wait_until(lambda: engine.health().owner)
        apply = engine.runners[0].relay._apply
        failures = [1]

        def failing(session: Session, found: Company) -> None:
            if failures:
                failures.pop()
                raise OperationalError("SELECT", {}, Exception("the connection is gone"))
            apply(session, found)

        monkeypatch.setattr(engine.runners[0].relay, "_apply", failing)
        store_of(app).session(
            lambda session: wish_connection(session, find_company(session, company), connected=True)
        )
        wait_until(lambda: engine.health().sockets_wished == 1, 20, "the wish is followed")
    assert failures == []


@pytest.mark.postgresql
def test_events_wait_while_the_database_may_only_be_read(
    postgresql_server: postgresql.Server, postgresql_url: str, tmp_path: Path
) -> None:
    with application(postgresql_url, tmp_path) as app:
        company, store = make_company(app), store_of(app)
        ownership = Ownership(store, lock_for(postgresql_url))
        assert ownership.take()
        assert ownership.fence is not None
        nowhere = os.open(os.devnull, os.O_WRONLY)
        console = Console(nowhere, logging.INFO, 200)
        intake = Relay(app, store, console, lambda _: None).intake
        intake.start(ownership.fence, continued=())
        name = postgresql_url.partition("?")[0].rpartition("/")[2]
        postgresql_server._run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        store.engine.dispose()
        for number in range(5):
            Feed(intake, company, "x", hide_credentials=True).event(f'["x",{{"n":{number}}}]')
        wait_until(lambda: store.failing_since is not None, 20, "the store says that it fails")
        assert intake.waiting == 5
        postgresql_server._run(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        store.engine.dispose()
        assert intake.drain(20)
        assert rows(app, "SELECT COUNT(*) FROM events")[0][0] == 5
        ownership.release()
        console.close()
        os.close(nowhere)


def test_an_event_that_waited_when_its_connection_was_closed_is_not_taken() -> None:
    room, told = Event(), list[str]()

    class Full(Ignoring):
        def event(self, text: str, offset: str = "") -> None:  # noqa: ARG002
            told.append(text)

        def pinged(self) -> None: ...

        def wait_until_accepting(self, timeout: float) -> bool:
            return bool(room.wait(timeout))

    socket = Socket(Full())
    engine = socket._engine
    engine.state, engine.ping_interval, engine.ping_timeout = "connected", 25, 20
    reader = gevent.spawn(engine._receive_packet, packet.Packet(packet.MESSAGE, '2["late"]'))
    gevent.idle()
    socket.close()
    room.set()
    reader.join(20)
    assert reader.successful()
    assert told == []


def test_a_state_that_cannot_be_written_does_not_stop_the_others(app: Flask) -> None:
    company, store = make_company(app), store_of(app)
    ownership = Ownership(store, lock_for(app.config["SQLALCHEMY_DATABASE_URI"]))
    assert ownership.take()
    assert ownership.fence is not None
    writer = StatusWriter(store, Broadcast())
    writer.start(ownership.fence)
    for number in (company, company + 1000):
        state, reason = ConnectionState.RECONNECTING, ConnectionReason.DROPPED
        writer.put(Status(number, state, reason, 2, gap="open"))
    assert writer.drain(20)
    assert rows(app, "SELECT state FROM connections")[0][0] == "reconnecting"
    assert len(rows(app, "SELECT id FROM gaps")) == 1
    ownership.release()
