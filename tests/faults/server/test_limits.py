"""F26: with too few descriptors or too little memory it slows down, and reports every loss."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.delivery.waiting.window_rows import NOW_MS
from tests.faults.stream import Stream
from tests.support.application import application, make_webhook, rows, store_of, wait_until
from tests.support.receiver import Receiver, hang, raw, reset
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.sender import Sender
from webhookproxy.models.deliveries.tables import Due, Facts
from webhookproxy.models.webhooks import Webhook, edit_webhook
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy

FAILURES = 10_000
FACTS = Facts("evt_7", 3, "call-was-created", "{}", "sid-1", "abcd…wxyz", NOW_MS)
DUE = Due(1, 9, "k", 2, 4, NOW_MS, None, None, FACTS)


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    with application(sqlite_url, tmp_path) as app:
        yield app


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def worker(server: ServerProcess) -> psutil.Process:
    """Return gunicorn's worker process."""
    (found,) = psutil.Process(server.pid).children()
    return found


def sender_to(url: str) -> Sender:
    policy = Policy(allow_private=True, allow_http=False)
    webhook = Webhook(id=9, timeout=5.0, parallelism=8, url=url)
    return Sender(webhook, policy, Resolver(), time.time)


@pytest.mark.slow
def test_ten_thousand_failures_leave_no_descriptor_open() -> None:
    with (
        Receiver(lambda _: raw(b"not http at all\r\n\r\n")) as garbage,
        Receiver(lambda _: reset(b"HTTP/1.1 200 OK\r\n")) as cut,
        Receiver((500, {}, b"x")) as failing,
        Receiver() as closed,
    ):
        senders = [sender_to(each.url()) for each in (garbage, cut, failing, closed)]
        closed._server.stop()
        counts: list[int] = []
        for turn in range(FAILURES // len(senders)):
            for sender in senders:
                assert sender.send(DUE).kind is not Kind.SUCCESS
            if turn % 100 == 99:
                counts.append(descriptors())
        for sender in senders:
            sender.close()
    assert max(counts) - min(counts) <= 8
    assert counts[-1] <= counts[0] + 4


@pytest.mark.slow
def test_with_256_descriptors_what_cannot_connect_waits_and_arrives_later(
    app: Flask, sqlite_url: str, tmp_path: Path, simulator: SimulatorProcess
) -> None:
    webhooks, events = 8, 50
    with Receiver() as good, Receiver(lambda _: hang()) as hanging:
        stream = Stream(app, simulator, good)
        stream.begin()
        company = rows(app, "SELECT id FROM companies")[0].id
        for number in range(webhooks):
            make_webhook(app, company, hanging.url(f"/{number}"), parallelism=64, timeout=4)
        with ServerProcess(sqlite_url, tmp_path) as server:
            server.wait_for_sockets(1)
            resource.prlimit(worker(server).pid, resource.RLIMIT_NOFILE, (256, 256))
            stream.emit(events)
            wait_until(lambda: worker(server).num_fds() >= 250, 30, "the descriptors are used up")
            stream.emit(20)
            # Open connections still store events.
            wait_until(lambda: len(stream.stored()) == events + 20, 30, "all are stored")
            hanging.answer = (200, {"Connection": "close"}, b"")
            # Hanging connections end at their deadline, and free their descriptors.
            wait_until(lambda: worker(server).num_fds() < 120, 45, "descriptors are given back")
            save_all(app)
            stream.wait_for_all(60)
            wait_until(lambda: ended(app) == (webhooks + 1) * (events + 20), 60, "all has ended")
            # The heartbeat after the last error says that events are stored again.
            wait_until(lambda: server.health()["status"] == 200, 20, "it says that it is well")
            assert worker(server).num_fds() < 120
            assert server.terminate() == 0
    stream.check()
    assert {row.state for row in rows(app, "SELECT state FROM deliveries")} == {"delivered"}


def save_all(app: Flask) -> None:
    """Close every circuit, and try the waiting deliveries at once."""

    def job(session: Session) -> None:
        for webhook in session.scalars(select(Webhook)).all():
            edit_webhook(session, webhook, webhook.input(), app.extensions["policy"])

    store_of(app).session(job)


def ended(app: Flask) -> int:
    query = "SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NOT NULL"
    return int(rows(app, query)[0][0])


@pytest.mark.slow
def test_with_little_memory_left_what_does_not_fit_is_not_read_or_is_a_gap(
    app: Flask, sqlite_url: str, tmp_path: Path, simulator: SimulatorProcess
) -> None:
    infinity = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with Receiver() as receiver:
        stream = Stream(app, simulator, receiver)
        stream.begin()
        with ServerProcess(sqlite_url, tmp_path) as server:
            server.wait_for_sockets(1)
            stream.emit(5)
            stream.wait_for_all()
            process = worker(server)
            cap = process.memory_info().vms + 24_000_000
            resource.prlimit(process.pid, resource.RLIMIT_AS, (cap, resource.RLIM_INFINITY))
            unlock = lock(app)
            stream.emit(60, 800_000)
            assert process.is_running()
            unlock()
            resource.prlimit(process.pid, resource.RLIMIT_AS, infinity)
            server.wait_for_sockets(1, 45)
            stream.emit(5)
            wait_until(lambda: max(stream.sent) in stream.received(), 30, "events flow again")
            server.wait_until_settled(30)
            print(server.output[-3000:])  # noqa: T201
            assert server.terminate() == 0
    missing = stream.check_but_for_gaps()
    print(f"{len(missing)} of {len(stream.sent)} fell into a gap")  # noqa: T201


def lock(app: Flask) -> Callable[[], None]:
    path = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close
