"""A live event waits behind sixteen recovered ones at most, however slow its receiver is."""

from __future__ import annotations

import json
import time

import pytest
from flask import Flask
from gevent.event import Event

from tests.engine.test_lifecycle import running, wait_until_connected
from tests.support.application import (
    make_company,
    make_webhook,
    rest_on_loopback,
    rows,
    store_of,
    wait_until,
)
from tests.support.receiver import OK, Plain, Received, Receiver
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.models.audit import CLI
from webhookproxy.models.recovery.asking import ask, confirm
from webhookproxy.platform import pace
from webhookproxy.recovery import recovering
from webhookproxy.recovery.writing import BATCH

CALLS = 60


@pytest.mark.slow
def test_a_live_event_overtakes_the_calls_that_are_recovered(
    app: Flask, simulator: SimulatorProcess, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    monkeypatch.setattr(recovering, "PAUSE_IDLE", 0.05)
    monkeypatch.setattr(recovering, "BUSY_SECONDS", 0.0)
    steps = counted_steps(monkeypatch)
    rest_on_loopback(app)
    company = make_company(app, simulator.url, token, connected=True)
    is_open = Event()

    def answer(_request: Received) -> Plain:
        is_open.wait()
        return OK

    with Receiver(answer) as receiver, running(app) as engine:
        make_webhook(app, company, receiver.url("/"), parallelism=1)
        wait_until_connected(engine)
        now = time.time()
        calls = {f"call-{number:02}": now - 1 for number in range(CALLS)}
        simulator.control("record", token=token, calls=calls)
        simulator.control("emit", token=token, event="x", args=[{"n": 0}])
        receiver.wait_for(1)
        asked = store_of(app).session(
            lambda session: ask(session, company, round(now * 1000) - 60_000, now_ms(), CLI)
        )
        state = "SELECT state, recovered FROM recoveries"
        wait_until(lambda: rows(app, state)[0].state == "counted", 20, "all are counted")
        store_of(app).session(lambda session: confirm(session, asked, CLI))
        wait_until(lambda: rows(app, state)[0].recovered == BATCH, 20, "the first are written")
        # The receiver has the first event still, so none of them begins, and no more are written.
        until = len(steps) + 10
        wait_until(lambda: len(steps) >= until, 20, "the recovery tries to go on")
        simulator.control("emit", token=token, event="x", args=[{"n": 1}])
        live = "SELECT COUNT(*) FROM events WHERE name = 'x'"
        wait_until(lambda: rows(app, live)[0][0] == 2, 20, "the live event is stored")
        is_open.set()
        receiver.wait_for(CALLS + 2, 40)
        names = [json.loads(each.body)["event"] for each in receiver.requests]
    assert [at for at, name in enumerate(names) if name == "x"] == [0, BATCH + 1]


def counted_steps(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that gets an entry with each step of a recovery."""
    steps: list[None] = []
    step = recovering.Recovering.step

    def counted(self: recovering.Recovering) -> bool:
        steps.append(None)
        return step(self)

    monkeypatch.setattr(recovering.Recovering, "step", counted)
    return steps


def now_ms() -> int:
    return round(time.time() * 1000)
