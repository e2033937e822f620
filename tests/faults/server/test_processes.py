"""A crash, a second server and SIGTERM lose nothing, and double only what was in flight."""

from __future__ import annotations

import signal
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import gevent
import pytest
from flask import Flask

from bench.torture.account import take
from bench.torture.faults import Faults
from bench.torture.past import Past
from bench.torture.stage import stage
from bench.torture.stream import Stream
from tests.faults.server.streaming import GAPS
from tests.faults.server.world import World
from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.databases import QUICK_ON_SQLITE
from tests.support.locks import held
from tests.support.receiver import OK, Plain, Received, Receiver, hang
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.delivery.lanes.turns import UNSETTLED_MAX
from webhookproxy.engine.shares.runner import STOP_SECONDS

SECRET = "canary-secret-of-the-webhooks"
PARALLELISM = 8


def slowly(seconds: float) -> Callable[[Received], Plain]:
    """Return a slow answer."""

    def answer(_request: Received) -> Plain:
        gevent.sleep(seconds)
        return OK

    return answer


def event_id(request: Received) -> str:
    return request.headers["webhook-id"]


@QUICK_ON_SQLITE
def test_f01_after_a_kill_in_the_middle_nothing_that_was_stored_is_missing(
    world: World, receiver: Receiver
) -> None:
    world.begin(secret=SECRET, parallelism=PARALLELISM)
    receiver.answer = slowly(0.03)

    with world.server() as server:
        server.wait_for_sockets(1)
        burst = gevent.spawn(
            world.control, "burst", count=250, rate=400, event="call-was-connected"
        )
        receiver.wait_for(120)
        server.kill()
    burst.get(timeout=60)
    before = list(receiver.requests)
    stored = {row.public_id for row in rows(world.app, "SELECT public_id FROM events")}
    ended = {
        row.public_id
        for row in rows(
            world.app,
            "SELECT e.public_id FROM deliveries d JOIN events e ON e.id = d.event_id"
            " WHERE d.state = 'delivered'",
        )
    }
    assert len(stored) > len(ended)

    with world.server() as server:
        server.wait_until_settled()
        code = server.terminate()

    times = Counter(event_id(request) for request in receiver.requests)
    assert code == 0
    assert set(times) == stored
    repeated = {identity for identity, count in times.items() if count > 1}
    assert repeated.isdisjoint(ended)
    assert repeated <= {event_id(request) for request in before}
    assert max(times.values()) <= 2
    # At the receiver, or answered and not committed.
    assert len(repeated) <= PARALLELISM + UNSETTLED_MAX
    bodies: defaultdict[str, set[bytes]] = defaultdict(set)
    for request in receiver.requests:
        bodies[event_id(request)].add(request.body)
    assert all(len(each) == 1 for each in bodies.values())


@contextmanager
def open_page(port: int) -> Iterator[None]:
    """A client that reads a page without end."""
    with socket.create_connection(("127.0.0.1", port)) as page:
        page.sendall(b"GET /saude HTTP/1.1\r\nHost: x\r\nX-Never-Ending: ")
        yield


@QUICK_ON_SQLITE
def test_f03_sigterm_finishes_what_is_in_hand_and_a_second_one_does_no_harm(
    world: World, receiver: Receiver
) -> None:
    world.begin(secret=SECRET)
    receiver.answer = slowly(0.5)
    with world.server() as server, open_page(server.port):
        server.wait_for_sockets(1)
        world.control("burst", count=20)
        wait_until(
            lambda: len(rows(world.app, "SELECT id FROM events")) == 20, 20, "all are stored"
        )
        asked = time.monotonic()
        server.signal(signal.SIGTERM)
        wait_until(lambda: "stopping:" in server.output, 20, "the server says that it stops")
        server.signal(signal.SIGTERM)
        code = server.wait()
        took = time.monotonic() - asked

    assert code == 0
    # That is the end of what a stop waits for at the most.
    assert took < STOP_SECONDS
    found = rows(world.app, "SELECT state, COUNT(*) AS n FROM deliveries GROUP BY state")
    counts = {row.state: row.n for row in found}
    assert sum(counts.values()) == 20
    # Every event that came was answered, and its result is stored.
    assert counts["delivered"] == len(receiver.requests) >= 8
    receiver.answer = OK
    with world.server() as server:
        receiver.wait_for(20)
        server.wait_until_settled()
    assert len({event_id(request) for request in receiver.requests}) == 20
    assert len(receiver.requests) == 20


@pytest.mark.slow
def test_f03_sigterm_ends_before_a_dyno_is_killed_although_receivers_and_a_page_hang(
    app: Flask, tmp_path: Path, simulator: SimulatorProcess, receiver: Receiver, token: str
) -> None:
    company = make_company(app, simulator.url, token, connected=True)
    make_webhook(app, company, receiver.url(), secret=SECRET, timeout=60.0)
    receiver.answer = lambda _: hang()
    url = app.config["SQLALCHEMY_DATABASE_URI"]
    with ServerProcess(url, tmp_path) as server, open_page(server.port):
        server.wait_for_sockets(1)
        simulator.control("burst", token=token, count=20)
        in_hand = receiver.wait_for(8)
        wait_until(lambda: len(rows(app, "SELECT id FROM events")) == 20, 20, "all are stored")
        asked = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - asked < 30
    receiver.answer = OK
    with ServerProcess(url, tmp_path) as server:
        receiver.wait_for(28)
        server.wait_until_settled()
    again = {event_id(request): request.body for request in receiver.requests[8:]}
    assert len(again) == 20
    assert all(again[event_id(request)] == request.body for request in in_hand)


@pytest.mark.slow
def test_f03_sigterm_does_not_wait_for_a_form_that_never_arrives_whole(
    app: Flask, tmp_path: Path
) -> None:
    with ServerProcess(app.config["SQLALCHEMY_DATABASE_URI"], tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as page:
            head = b"POST /entrar HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            page.sendall(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nemail=")
            # The server takes connections in order: after this answer it reads the form.
            server.health()
            asked = time.monotonic()
            assert server.terminate() == 0
        # gunicorn itself would wait for 25 s.
        assert time.monotonic() - asked < 20


@QUICK_ON_SQLITE
def test_f02_a_kill_between_receipt_and_commit_leaves_no_half_row(
    world: World, receiver: Receiver
) -> None:
    world.begin(secret=SECRET)
    with world.server() as server:
        server.wait_for_sockets(1)
        world.control("burst", count=30)
        receiver.wait_for(30)
        with held(world.url):
            world.control("burst", count=30)
            server.kill()
    stored = rows(world.app, "SELECT public_id FROM events")
    query = "SELECT COUNT(*) FROM deliveries"
    assert len(stored) == rows(world.app, query)[0][0] == 30
    if world.url.startswith("sqlite"):
        assert rows(world.app, "PRAGMA integrity_check")[0][0] == "ok"
    with world.server() as server:
        server.wait_for_sockets(1)
        server.wait_until_settled()
        ended = f"{GAPS} AND ended_at IS NOT NULL"
        wait_until(lambda: rows(world.app, ended), 20, "the gap is recorded")
    assert [gap.reason for gap in rows(world.app, ended)] == ["owner_gone"]
    assert {event_id(request) for request in receiver.requests} == {row.public_id for row in stored}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_f01_fifty_kills_at_random_moments_lose_nothing_and_double_only_what_was_in_flight() -> (
    None
):
    with stage("sqlite") as made:
        # Chance for the faults and for the stream.
        chances = Random(1), Random(2)  # noqa: S311
        past, stream = Past(made), Stream(made, chances[1])
        faults = Faults(made, chances[0], past)
        made.start_server()
        faults.wait_for_owner()
        stream.start()
        for _ in range(50):
            gevent.sleep(faults.random.uniform(0.2, 1.0))
            faults.throw(deadly=True)
        stream.stop()
        assert made.settle(60)
        assert made.servers[0].terminate() == 0
        account = take(made, stream.sent, past)
    assert account.good, account.lines()
    assert account.stored > 500
    assert account.doubled <= account.in_flight
