"""A receiver that is dead with a long backlog costs the others nothing."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import gevent
import pytest
from flask import Flask

from tests.delivery.lanes_world import sending
from tests.faults.sockets.test_floods import memory
from tests.support.application import application, make_company, make_webhook, rows
from tests.support.receiver import Receiver, hang
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

BACKLOG = 100_000


def latencies(simulator: SimulatorProcess, token: str, receiver: Receiver) -> list[float]:
    """Return the seconds from each of a hundred events to its receipt, sorted."""
    took = []
    for number in range(1, 101):
        sent = time.monotonic()
        simulator.control("emit", token=token, event="agent-is-idle")
        took.append(receiver.wait_for(number)[-1].at - sent)
        gevent.sleep(0.01)
    return sorted(took)


def measured(app: Flask, folder: Path, simulator: SimulatorProcess) -> tuple[int, float]:
    """Return a server's memory after a hundred events to a good webhook, and the p95 of seconds."""
    token = f"canary-{secrets.token_hex(16)}"
    with Receiver() as good:
        company = make_company(app, simulator.url, token, name=token, connected=True)
        make_webhook(app, company, good.url())
        with ServerProcess(app.config["SQLALCHEMY_DATABASE_URI"], folder) as server:
            server.wait_for_sockets(1)
            took = latencies(simulator, token, good)
            used = memory(server)
        app.extensions["store"].run(
            lambda connection: (
                connection.exec_driver_sql("UPDATE companies SET should_connect = 0") and None
            )
        )
    return used, took[94]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_f27_a_dead_receiver_with_a_long_backlog_changes_neither_memory_nor_latency(
    app: Flask, tmp_path: Path, migrated: bytes, simulator: SimulatorProcess
) -> None:
    (tmp_path / "plain.sqlite").write_bytes(migrated)
    with (
        application(f"sqlite:///{tmp_path / 'plain.sqlite'}", tmp_path) as without,
        Receiver(lambda _: hang()) as dead,
    ):
        with sending(app) as half:
            half.webhook(dead.url(), timeout=1.0)
            # Stored and not offered: the lane of this process does not know them.
            for _ in range(BACKLOG // 500):
                half.store_events(500, key=None)
        waiting = rows(app, "SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NULL")[0][0]
        assert waiting == BACKLOG
        # One after the other: what else this machine does at a time is not there each time.
        for _ in range(5):
            plain, before = measured(without, tmp_path, simulator)
            loaded, during = measured(app, tmp_path, simulator)
            if during < before * 2 + 0.05:
                break
        assert dead.requests
    more = (loaded - plain) / 1e6
    print(f"{more:.1f} MB more; p95 {before * 1e3:.1f} ms, then {during * 1e3:.1f} ms")  # noqa: T201
    assert more < 50
    assert during < before * 2 + 0.05
