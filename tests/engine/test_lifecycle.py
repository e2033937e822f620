"""The engine in one process: owning, following changes, losing, stopping."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from flask import Flask
from gevent.monkey import get_original
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.support import postgresql
from tests.support.application import (
    application,
    make_company,
    make_webhook,
    rows,
    store_of,
    wait_until,
)
from tests.support.receiver import OK, Plain, Received, Receiver
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database.fence import Fence
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.shares import runner
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.listener.intake import Intake
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import delete_company, find_company, wish_connection
from webhookproxy.models.deliveries.actions import Resent, resend
from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.models.webhooks import edit_webhook, find_webhook


@contextmanager
def running(app: Flask) -> Iterator[Engine]:
    """Yield a started engine; stop it at the end if it still runs."""
    with Path(os.devnull).open("wb") as nowhere:
        console = Console(nowhere.fileno(), logging.INFO, 200)
        engine = Engine(app, store_of(app), console)
        engine.start()
        try:
            yield engine
        finally:
            assert engine.stop(30.0)
            console.close()


def wait_until_connected(engine: Engine, count: int = 1) -> None:
    wait_until(lambda: engine.health().sockets_connected == count, 20, "the sockets are connected")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each look of the owner for what others changed."""
    looks: list[None] = []
    follow_changes = Relay.follow_changes

    def counted(relay: Relay) -> None:
        looks.append(None)
        follow_changes(relay)

    monkeypatch.setattr(Relay, "follow_changes", counted)
    return looks


def seconds_of(looks: list[None]) -> float:
    """Return how long so many looks take on a machine that is not busy."""
    return len(looks) * runner.TICK


def emit(simulator: SimulatorProcess, token: str, count: int = 1) -> None:
    for number in range(count):
        simulator.control("emit", token=token, event="x", args=[{"number": number}])


def test_a_wish_made_elsewhere_is_followed_within_two_seconds(
    app: Flask, simulator: SimulatorProcess, looks: list[None]
) -> None:
    token = "followed-token-0001"
    with running(app) as engine:
        wait_until(lambda: engine.health().owner)
        company = make_company(app, simulator.url, token, connected=True)
        wait_until_connected(engine)
        looks.clear()
        store_of(app).session(
            lambda session: wish_connection(
                session, find_company(session, company), connected=False
            )
        )
        wait_until(lambda: engine.health().sockets_wished == 0)
        assert seconds_of(looks) <= 2
        # A socket that was only left alone would be closed after its ping, in 45 s.
        simulator.wait_for_sockets(token, 0)


def test_a_deleted_company_loses_its_socket(app: Flask, simulator: SimulatorProcess) -> None:
    token = "tombstone-token-0001"
    company = make_company(app, simulator.url, token, connected=True)
    with running(app) as engine:
        wait_until_connected(engine)
        store_of(app).session(
            lambda session: delete_company(session, find_company(session, company))
        )
        engine.wake()
        simulator.wait_for_sockets(token, 0)


def test_an_edited_webhook_is_in_force_without_touching_the_socket(
    app: Flask, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    token = "edited-token-0001"
    company = make_company(app, simulator.url, token, connected=True)
    webhook = make_webhook(app, company, receiver.url("/old"))

    def move(session: Session) -> None:
        row = find_webhook(session, webhook)
        given = replace(row.input(), url=receiver.url("/new"))
        edit_webhook(session, row, given, app.extensions["policy"])

    def moved() -> bool:
        emit(simulator, token)
        gevent.sleep(0.05)
        return receiver.requests[-1].path == "/new"

    with running(app) as engine:
        wait_until_connected(engine)
        emit(simulator, token)
        receiver.wait_for(1)
        store_of(app).session(move)
        wait_until(moved, 20, "the new address is in force")
        assert simulator.state(token)["handshakes"] == 1


def test_a_delivery_resent_by_another_process_is_sent_within_two_seconds(
    sqlite_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    looks: list[None],
) -> None:
    token = "resent-token-0001"

    def job(session: Session) -> Resent:
        return resend(session, session.scalars(select(Delivery)).one())

    with application(sqlite_url, tmp_path) as app, running(app) as engine:
        company = make_company(app, simulator.url, token, connected=True)
        make_webhook(app, company, receiver.url())
        wait_until_connected(engine)
        emit(simulator, token)
        wait_until(lambda: rows(app, "SELECT 1 FROM deliveries WHERE state = 'delivered'"))
        with application(sqlite_url, tmp_path) as other:
            looks.clear()
            assert store_of(other).session(job) is Resent.QUEUED
            again = receiver.wait_for(2)[1]
            assert seconds_of(looks) <= 2
        assert again.headers["X-Webhook-Attempt"] == "2"
        wait_until(lambda: rows(app, "SELECT 1 FROM webhook_health WHERE delivered = 2"))
        assert rows(app, "SELECT created FROM webhook_health") == [(2,)]


def test_an_owner_that_lost_the_lease_lets_go_and_owns_it_again_when_it_is_free(
    app: Flask, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    token = "fenced-token-0001"
    company = make_company(app, simulator.url, token, connected=True)
    make_webhook(app, company, receiver.url())
    with running(app) as engine:
        wait_until_connected(engine)
        store_of(app).run(
            lambda connection: connection.execute(text("UPDATE leases SET fence = 50")) and None
        )
        # Events that come before it notices must not be committed under the old fence.
        emit(simulator, token)
        wait_until(lambda: simulator.state(token)["accepted"] == 2, 20, "it owns the socket again")
        wait_until_connected(engine)
        emit(simulator, token)
        wait_until(lambda: receiver.requests, 20, "events flow again")
        assert rows(app, "SELECT fence FROM leases")[0].fence == 51
    fences = rows(app, "SELECT fence FROM connections")
    assert [row.fence for row in fences] == [51]


def test_an_owner_that_could_not_start_is_none_and_tries_again(
    app: Flask, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Intake.start
    failures = [1, 2]

    def failing(intake: Intake, fence: Fence, *, continued: Collection[int]) -> None:
        if failures:
            failures.pop()
            raise StoreUnavailable("the database is away")
        start(intake, fence, continued=continued)

    monkeypatch.setattr(Intake, "start", failing)
    token = "stumbling-token-0001"
    make_company(app, simulator.url, token, connected=True)
    with running(app) as engine:
        wait_until_connected(engine)
    assert failures == []
    assert simulator.state(token)["accepted"] == 1


def test_stopping_finishes_what_is_being_sent_and_stores_what_was_taken(
    app: Flask, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    def slow(_request: Received) -> Plain:
        gevent.sleep(0.5)
        return OK

    receiver.answer = slow
    token = "stopping-token-0001"
    company = make_company(app, simulator.url, token, connected=True)
    make_webhook(app, company, receiver.url())
    with running(app) as engine:
        wait_until_connected(engine)
        simulator.control("burst", token=token, count=30)
        receiver.wait_for(8)
        second = gevent.spawn_later(0.05, engine.stop)
        assert engine.stop(10.0)
        assert second.get(timeout=60)
        assert engine.health().owner is False
    states = rows(app, "SELECT state FROM deliveries")
    delivered = [row.state for row in states].count("delivered")
    assert delivered == len(receiver.requests) >= 8
    assert {row.state for row in states} <= {"delivered", "queued"}
    simulator.wait_for_sockets(token, 0)


def test_what_an_engine_left_is_sent_by_the_next_one(
    app: Flask, simulator: SimulatorProcess, receiver: Receiver
) -> None:
    token = "next-token-0001"
    company = make_company(app, simulator.url, token, connected=True)
    make_webhook(app, company, receiver.url(), rate_limit=0.1)
    with running(app) as engine:
        wait_until_connected(engine)
        emit(simulator, token, count=5)
        wait_until(lambda: len(rows(app, "SELECT id FROM events")) == 5)
    sent = len(receiver.requests)
    assert sent < 5
    store_of(app).run(
        lambda connection: (
            connection.execute(text("UPDATE webhooks SET rate_limit = NULL")) and None
        )
    )
    with running(app):
        receiver.wait_for(5)
        wait_until(lambda: not rows(app, "SELECT id FROM deliveries WHERE state = 'queued'"))
    identities = [request.headers["X-Webhook-Attempt"] for request in receiver.requests]
    assert identities == ["1"] * 5


def test_the_loops_lag_is_measured(app: Flask) -> None:
    with running(app) as engine:
        wait_until(lambda: engine.health().owner)
        # No other greenlet runs in this time: that is the fault.
        get_original("time", "sleep")(1.2)
        wait_until(lambda: engine.health().loop_lag_ms > 100, 20, "the lag is noticed")


@pytest.mark.postgresql
def test_a_restarted_postgresql_costs_a_new_socket_and_no_stored_event(
    postgresql_server: postgresql.Server,
    postgresql_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
) -> None:
    token = "restarted-token-0001"
    with application(postgresql_url, tmp_path) as app:
        company = make_company(app, simulator.url, token, connected=True)
        make_webhook(app, company, receiver.url())
        with running(app) as engine:
            wait_until_connected(engine)
            emit(simulator, token, count=3)
            delivered = "SELECT 1 FROM deliveries WHERE state = 'delivered'"
            wait_until(lambda: len(rows(app, delivered)) == 3)
            postgresql_server.terminate_sessions(postgresql_url)
            # On a busy machine the socket is closed before all of them are emitted.
            emit(simulator, token, count=3)
            wait_until(lambda: simulator.state(token)["accepted"] == 2, 20, "it owns them again")
            wait_until_connected(engine)
            for number in range(3):
                simulator.control("emit", token=token, event="after", args=[number])
            after = "SELECT 1 FROM events WHERE name = 'after'"
            wait_until(lambda: len(rows(app, after)) == 3, 20, "the last ones are stored")
            waits = "SELECT 1 FROM deliveries WHERE ended_ms IS NULL"
            wait_until(lambda: not rows(app, waits), 20, "all of them arrived")
        found = {row.public_id for row in rows(app, "SELECT public_id FROM events")}
    received = [json.loads(request.body)["meta"]["event_id"] for request in receiver.requests]
    assert set(received) == found
    assert len(received) == len(found)
