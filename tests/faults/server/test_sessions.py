"""A server with connection state recovery: neither a drop nor a kill -9 of ours loses an event."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask

from tests.faults.server.streaming import streaming
from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

# Requests that may be under way when a server is killed: 64, and two for each of eight at a time.
UNDER_WAY = 80


def came(receiver: Receiver) -> Counter[str]:
    """Return how often each payload came, an event that was sent twice counted once."""
    bodies = [json.loads(each.body) for each in receiver.requests]
    once = {body["meta"]["event_id"]: json.dumps(body["payload"]) for body in bodies}
    return Counter(once.values())


@pytest.mark.slow
def test_drops_and_a_kill_lose_nothing_if_the_server_sends_again_what_was_missed(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True)
    make_webhook(any_app, company, receiver.url())
    simulator.control("recovery", token=token)

    def recovered(count: int) -> bool:
        found = rows(any_app, "SELECT COUNT(*) FROM gaps WHERE recovered")
        return int(found[0][0]) == count

    with ServerProcess(database_url, tmp_path) as first:
        first.wait_for_sockets(1)
        with streaming(simulator, token) as stream:
            receiver.wait_for(20)
            simulator.control("drop", token=token)
            wait_until(lambda: recovered(1), 60, "the drop is made good")
            receiver.wait_for(len(receiver.requests) + 20)
            assert len(receiver.requests) == came(receiver).total()
            first.kill()
            with ServerProcess(database_url, tmp_path) as second:
                wait_until(lambda: recovered(2), 60, "the death is made good")
                receiver.wait_for(len(receiver.requests) + 20)
                emitted = stream.end()
                wait_until(lambda: came(receiver).total() >= emitted.total(), 60, "all")
                second.wait_until_settled()
    assert came(receiver) == emitted
    assert len(receiver.requests) - emitted.total() <= UNDER_WAY
    assert {gap.reason for gap in rows(any_app, "SELECT reason FROM gaps")} == {
        "dropped",
        "owner_gone",
    }
