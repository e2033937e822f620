"""A wall clock that jumps hurries, blocks and expires nothing."""

from __future__ import annotations

import json
import time

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, hurry, sending
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Receiver
from webhookproxy.database.clock import Clock, look
from webhookproxy.delivery.lanes import probes
from webhookproxy.delivery.outcomes import retry
from webhookproxy.delivery.waiting import retries
from webhookproxy.listener.journal import Journal

DAY = 86_400.0
HOUR = 3_600.0


@pytest.mark.parametrize("jump", [DAY, -HOUR])
def test_f25_a_jump_while_it_runs_neither_hurries_nor_stops_a_retry(
    half: Sending, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    monkeypatch.setattr(retry, "EVENT_DELAYS", (0.4,))
    with Receiver((500, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(2, key="one")
        receiver.wait_for(1)
        half.skew += jump
        receiver.answer = OK
        half.wait_for_ends(webhook, 2)
        assert set(half.states(webhook)) == {("delivered", "accepted")}
        first, second, third = receiver.requests
        assert 0.2 <= second.at - first.at < 30
        assert third.at >= second.at
    half.check_totals(webhook)


def test_f25_a_jump_forward_makes_no_storm_of_an_open_circuit(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PROBE_FIRST", 0.3)
    monkeypatch.setattr(retry, "PROBE_LAST", 0.3)
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        half.skew += DAY
        probes_then = half.health(webhook).failed_probes
        wait_until(lambda: half.health(webhook).failed_probes >= probes_then + 3)
        first, second, third = [request.at for request in receiver.requests[-3:]]
        # A storm would be a probe after each answer.
        assert second - first > 0.2
        assert third - second > 0.2


def test_f25_a_due_time_beyond_every_schedule_is_pulled_in(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "DUE_AHEAD_MAX", 0.2)
    with Receiver((500, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.skew = DAY
        half.arrive(1)
        half.wait_for("SELECT COUNT(*) FROM attempts")
        # The clock is corrected while the process is down: its rows lie a day ahead.
        half.skew = 0.0
        receiver.answer = OK
        half.crash()
        half.wait_for_ends(webhook, 1)
        assert half.states(webhook) == [("delivered", "accepted")]


def test_f25_a_probe_time_beyond_every_schedule_is_pulled_in(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PROBE_LAST", 0.2)
    with Receiver((503, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.skew = DAY
        half.arrive(8)
        half.wait_for("SELECT circuit_opened_at FROM webhook_health")
        assert half.lanes.results.drain(20)
        half.skew = 0.0
        receiver.answer = OK
        half.crash()
        half.wait_for_ends(webhook, 8)
    assert rows(half.app, "SELECT COUNT(*) FROM attempts WHERE probe")[0][0] >= 1


def move(half: Sending, wrong: float) -> None:
    """Have a process on another machine take over, whose clock is wrong by some seconds."""
    half.skew = wrong
    machine = Clock(lambda: time.time() + half.skew)
    if half.reading.dialect.name == "postgresql":
        with half.reading.connect() as connection:
            look(connection.connection.dbapi_connection, machine)
    half.clock = machine.seconds  # type: ignore[method-assign]
    half.journal = Journal(half.store, machine.seconds)
    half.crash()


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_machines_that_are_hours_apart_tell_the_same_ages(
    postgresql_app: Flask, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    hurry(monkeypatch)
    monkeypatch.setitem(postgresql_app.config, "RETENTION_DAYS", 1)
    with sending(postgresql_app) as half, Receiver((500, {}, b"")) as receiver:
        move(half, wrong)
        webhook = half.webhook(receiver.url(), max_age=1)
        half.arrive(4)
        receiver.wait_for(1)
        # It goes backwards while it runs.
        half.skew -= HOUR
        half.arrive(4)
        move(half, -wrong)
        half.arrive(4)
        half.housekeeping.step()
        # No retry waits for an hour, and none of what waits is too old.
        receiver.answer = OK
        half.wait_for_ends(webhook, 12)
        assert set(half.states(webhook)) == {("delivered", "accepted")}
        ids = half.event_ids()
        arrived = rows(half.app, "SELECT payload FROM events ORDER BY id")
        numbers = [json.loads(row.payload)["n"] for row in arrived]
        assert len(set(ids)) == 12
        assert numbers == list(range(numbers[0], numbers[0] + 12))
        # The clock that is ahead takes nothing for older than a day.
        younger = f"received_ms = received_ms - {round((DAY - HOUR / 2) * 1000)}"
        half.execute(f"UPDATE events SET {younger}")
        for each in (wrong, -wrong):
            move(half, each)
            while half.housekeeping.step():
                pass
            assert half.event_ids() == ids
