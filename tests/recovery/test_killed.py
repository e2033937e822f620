"""A server that is killed while it recovers calls repeats none and leaves none out."""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.recovery.world import HISTORY, MINUTE_MS, history
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.models.audit import CLI
from webhookproxy.models.recovery.asking import ask
from webhookproxy.models.recovery.recoveries import Recovery, RecoveryState

CALLS = 80
# A longer run by hand: three kills, each with more calls written, at most four.
KILLS = 1


@pytest.mark.slow
def test_a_killed_server_recovers_each_call_once(
    app: Flask, simulator: SimulatorProcess, sqlite_url: str, tmp_path: Path, token: str
) -> None:
    with Receiver() as receiver:
        company = make_company(app, simulator.url, token, connected=True)
        # So slow that the kills come in the middle.
        make_webhook(app, company, receiver.url("/"), rate_limit=40, events=(HISTORY,))
        settings = {"REST_HOSTS": "127.0.0.1"}
        with ServerProcess(sqlite_url, tmp_path, **settings) as server:
            server.wait_for_sockets(1)
            recovery = begun(app, simulator, company, token)
            wait_until(partial(is_recovered, app, recovery, CALLS // 5), 20)
            server.kill()
        for kill in range(1, KILLS):
            with ServerProcess(sqlite_url, tmp_path, **settings) as server:
                wait_until(partial(is_recovered, app, recovery, (kill + 1) * CALLS // 5), 20)
                server.kill()
        with ServerProcess(sqlite_url, tmp_path, **settings):
            wait_until(lambda: state(app, recovery) == "finished", 30)
            wait_until(lambda: len(of(receiver)) == CALLS, 20)
    stored = rows(app, "SELECT payload FROM events WHERE recovered")
    ids = Counter(json.loads(each.payload)["callHistory"]["_id"] for each in stored)
    assert ids == Counter({f"call-{number:03}": 1 for number in range(CALLS)})
    assert is_recovered(app, recovery, CALLS)
    # What was being sent is sent again, with the same id: never a second event.
    assert all(len(events) == 1 for events in of(receiver).values())


def begun(app: Flask, simulator: SimulatorProcess, company: int, token: str) -> int:
    """Have calls that no socket brought be recovered; return the number of the request."""
    simulator.control("emit", token=token, event="agent-is-idle", args=[{"n": 1}])
    wait_until(lambda: rows(app, "SELECT 1 FROM hourly_events"))
    simulator.control("silence", token=token, pings=False)
    for number in range(CALLS):
        simulator.control("emit", token=token, event=HISTORY, args=[history(f"call-{number:03}")])
    simulator.control("drop", token=token)
    now = round(time.time() * 1000) + 1_000

    def job(session: Session) -> int:
        asked = ask(session, company, now - 10 * MINUTE_MS, now, CLI)
        # As if it had been counted and confirmed: that takes requests, and these take their time.
        session.execute(update(Recovery).values(state=RecoveryState.RUNNING))
        return asked

    return store_of(app).session(job)


def state(app: Flask, recovery: int) -> str:
    return str(rows(app, "SELECT state FROM recoveries WHERE id = :id", id=recovery)[0].state)


def is_recovered(app: Flask, recovery: int, count: int) -> bool:
    """Return whether this many calls are recovered, or more."""
    found = rows(app, "SELECT recovered FROM recoveries WHERE id = :id", id=recovery)
    return int(found[0].recovered) >= count


def of(receiver: Receiver) -> dict[str, set[str]]:
    """Return the ids of the events that the receiver got, by the id of their history."""
    found: dict[str, set[str]] = {}
    for each in list(receiver.requests):
        body = json.loads(each.body)
        name = body["payload"]["callHistory"]["_id"]
        assert (body["meta"]["recovered"], each.headers["X-Webhook-Recovered"]) == (True, "1")
        found.setdefault(name, set()).add(body["meta"]["event_id"])
    return found
