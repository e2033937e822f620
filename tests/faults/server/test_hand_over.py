"""A server that ends hands its sockets over to one that waits: no event is lost or doubled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from flask import Flask

from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

# Events a second, and which share of them is the same text, byte for byte.
RATE = 50
EQUAL = 10


class Stream:
    """Emits events to a company until it is ended; each tenth is the same text."""

    def __init__(self, simulator: SimulatorProcess, token: str) -> None:
        self._simulator = simulator
        self._token = token
        self._ended = False
        self.emitted: Counter[str] = Counter()
        self._greenlet = gevent.spawn(self._run)

    def end(self) -> Counter[str]:
        """Emit no more; return how often each payload was emitted."""
        self._ended = True
        self._greenlet.get(timeout=10)
        return self.emitted

    def _run(self) -> None:
        number = 0
        while not self._ended:
            number += 1
            payload = {"agent": 7} if number % EQUAL == 0 else {"number": number}
            self._simulator.control("emit", token=self._token, event="x", args=[payload])
            self.emitted[json.dumps(payload)] += 1
            gevent.sleep(1 / RATE)


@contextmanager
def streaming(simulator: SimulatorProcess, token: str) -> Iterator[Stream]:
    """Yield a stream of events of a company; it ends at the end."""
    stream = Stream(simulator, token)
    try:
        yield stream
    finally:
        stream.end()


def payloads(receiver: Receiver) -> Counter[str]:
    """Return how often each payload came."""
    return Counter(json.dumps(json.loads(each.body)["payload"]) for each in receiver.requests)


@pytest.mark.slow
def test_a_deploy_with_a_successor_loses_and_doubles_nothing(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True)
    make_webhook(any_app, company, receiver.url())
    with ServerProcess(database_url, tmp_path) as first:
        first.wait_for_sockets(1)
        with ServerProcess(database_url, tmp_path) as second, streaming(simulator, token) as stream:
            receiver.wait_for(20, 10)
            assert first.terminate() == 0
            wait_until(lambda: second.health()["owner"], 10, "the second server owns the sockets")
            came = len(receiver.requests)
            receiver.wait_for(came + 20, 20)
            emitted = stream.end()
            receiver.wait_for(sum(emitted.values()), 20)
            second.wait_until_settled()
            print(second.output)
            assert "without a hole" in second.output
    assert payloads(receiver) == emitted
    assert rows(any_app, "SELECT COUNT(*) FROM gaps")[0][0] == 0
    assert simulator.state(token)["accepted"] == 2
