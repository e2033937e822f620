"""What a crash, a second server and SIGTERM leave: nothing missing, nothing doubled but by need."""

from __future__ import annotations

import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import gevent
from flask import Flask

from tests.receiver import OK, Plain, Received, Receiver
from tests.server_process import ServerProcess
from tests.simulator_process import SimulatorProcess
from tests.world import make_company, make_webhook, rows, wait_until
from webhookproxy.delivery.lane import UNSETTLED_MAX

SECRET = "canary-secret-of-the-webhooks"
PARALLELISM = 8


def slowly(seconds: float) -> Callable[[Received], Plain]:
    """An answer that takes its time."""

    def answer(_request: Received) -> Plain:
        gevent.sleep(seconds)
        return OK

    return answer


def event_id(request: Received) -> str:
    return request.headers["webhook-id"]


def test_f01_after_a_kill_in_the_middle_nothing_that_was_stored_is_missing(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True)
    make_webhook(any_app, company, receiver.url(), secret=SECRET, parallelism=PARALLELISM)
    receiver.answer = slowly(0.03)

    with ServerProcess(database_url, tmp_path) as server:
        server.wait_for_sockets(1)
        burst = gevent.spawn(
            simulator.control, "burst", token=token, count=250, rate=400, event="call-was-connected"
        )
        receiver.wait_for(120)
        server.kill()
    burst.get(timeout=10)
    before = list(receiver.requests)
    stored = {row.public_id for row in rows(any_app, "SELECT public_id FROM events")}
    ended = {
        row.public_id
        for row in rows(
            any_app,
            "SELECT e.public_id FROM deliveries d JOIN events e ON e.id = d.event_id"
            " WHERE d.state = 'delivered'",
        )
    }
    assert len(stored) > len(ended)

    with ServerProcess(database_url, tmp_path) as server:
        server.wait_until_settled(20)
        code = server.terminate()

    times = Counter(event_id(request) for request in receiver.requests)
    assert code == 0
    assert set(times) == stored
    repeated = {identity for identity, count in times.items() if count > 1}
    assert repeated.isdisjoint(ended)
    assert repeated <= {event_id(request) for request in before}
    assert max(times.values()) <= 2
    # At the receiver, or answered and not committed yet.
    assert len(repeated) <= PARALLELISM + UNSETTLED_MAX
    bodies: defaultdict[str, set[bytes]] = defaultdict(set)
    for request in receiver.requests:
        bodies[event_id(request)].add(request.body)
    assert all(len(each) == 1 for each in bodies.values())


def test_f28_a_second_server_waits_says_so_and_takes_over_when_the_first_is_killed(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True)
    make_webhook(any_app, company, receiver.url(), secret=SECRET)
    with (
        ServerProcess(database_url, tmp_path) as first,
        ServerProcess(database_url, tmp_path) as second,
    ):
        first.wait_for_sockets(1)
        wait_until(lambda: "another process owns the sockets" in second.output, 5)
        assert (first.health()["owner"], second.health()["owner"]) == (True, False)
        assert second.health()["status"] == 200
        simulator.control("burst", token=token, count=50)
        receiver.wait_for(50, 10)
        first.wait_until_settled(5)
        assert simulator.state(token)["accepted"] == 1

        first.kill()
        killed = time.monotonic()
        wait_until(lambda: simulator.state(token)["accepted"] == 2, 8, "the second connects")
        took = time.monotonic() - killed
        second.wait_for_sockets(1)
        assert second.health()["owner"]
        simulator.control("burst", token=token, count=50)
        receiver.wait_for(100, 10)
        second.wait_until_settled(5)

    print(f"the second server was connected {took:.2f} s after the first was killed")  # noqa: T201
    assert took < 4.0
    assert len(receiver.requests) == len({event_id(each) for each in receiver.requests}) == 100
    gaps = rows(any_app, "SELECT reason, ended_at FROM gaps ORDER BY id")
    assert [(gap.reason, gap.ended_at is not None) for gap in gaps] == [("owner_gone", True)]


def test_f03_sigterm_finishes_what_is_in_hand_and_a_second_one_does_no_harm(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True)
    make_webhook(any_app, company, receiver.url(), secret=SECRET)
    receiver.answer = slowly(0.5)
    with ServerProcess(database_url, tmp_path) as server:
        server.wait_for_sockets(1)
        simulator.control("burst", token=token, count=20)
        wait_until(lambda: len(rows(any_app, "SELECT id FROM events")) == 20, 5, "all are stored")
        asked = time.monotonic()
        server.signal(signal.SIGTERM)
        wait_until(lambda: "stopping:" in server.output, 5, "the server says that it stops")
        server.signal(signal.SIGTERM)
        code = server.wait()
        took = time.monotonic() - asked

    assert code == 0
    assert took < 20
    found = rows(any_app, "SELECT state, COUNT(*) AS n FROM deliveries GROUP BY state")
    counts = {row.state: row.n for row in found}
    assert sum(counts.values()) == 20
    assert counts["delivered"] == len(receiver.requests) >= 8
