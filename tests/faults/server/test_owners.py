"""Two servers on one database: one owns the sockets, and the other takes over."""

from __future__ import annotations

import json
import time
from pathlib import Path

import gevent
import pytest
from sqlalchemy.engine import make_url

from tests.faults.server.streaming import GAPS
from tests.faults.server.world import World, two_servers
from tests.support.application import application, make_company, make_webhook, rows, wait_until
from tests.support.cable import Wire
from tests.support.databases import QUICK_ON_SQLITE
from tests.support.receiver import Receiver, hang
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.database.ownership.locks import SILENCE_MS

SECRET = "canary-secret-of-the-webhooks"


def distinct(receiver: Receiver) -> int:
    """Return the number of different events that came."""
    return len({json.loads(each.body)["meta"]["event_id"] for each in receiver.requests})


@QUICK_ON_SQLITE
def test_f28_a_second_server_waits_says_so_and_takes_over_when_the_first_is_killed(
    world: World, receiver: Receiver
) -> None:
    world.begin(secret=SECRET)
    with two_servers(world.url, world.folder) as (first, second):
        wait_until(lambda: "another process owns the sockets" in second.output)
        assert (first.health()["owner"], second.health()["owner"]) == (True, False)
        assert second.health()["status"] == 200
        world.control("burst", count=50)
        receiver.wait_for(50)
        first.wait_until_settled()
        assert world.accepted() == 1

        first.kill()
        killed = time.monotonic()
        wait_until(lambda: world.accepted() == 2, 20, "the second connects")
        took = time.monotonic() - killed
        second.wait_for_sockets(1)
        assert second.health()["owner"]
        world.control("burst", count=50)
        receiver.wait_for(100)
        second.wait_until_settled()

    print(f"the second server was connected {took:.2f} s after the first was killed")  # noqa: T201
    # One that is only silent is waited for for half a minute.
    assert took < 15
    assert (
        len(receiver.requests)
        == len({each.headers["webhook-id"] for each in receiver.requests})
        == 100
    )
    gaps = rows(world.app, GAPS)
    assert [(gap.reason, gap.ended_at is not None) for gap in gaps] == [("owner_gone", True)]


@QUICK_ON_SQLITE
def test_f28_two_servers_started_at_once_have_one_owner_and_one_socket(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    servers = [world.server() for _ in range(2)]
    entering = [gevent.spawn(server.__enter__) for server in servers]
    try:
        gevent.joinall(entering, timeout=60, raise_error=True)
        wait_until(lambda: any(server.health()["owner"] for server in servers))
        world.simulator.wait_for_sockets(world.token, 1)
        world.control("burst", count=100)
        receiver.wait_for(100)
        assert [server.health()["owner"] for server in servers].count(True) == 1
        assert world.accepted() == 1
    finally:
        for server in servers:
            server.kill()
    assert len(receiver.requests) == distinct(receiver) == 100
    assert rows(world.app, "SELECT COUNT(*) FROM events")[0][0] == 100


@QUICK_ON_SQLITE
def test_f28_an_owner_that_is_stopped_stays_the_owner_until_its_lock_is_free(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    with two_servers(world.url, world.folder) as (first, second):
        first.freeze()
        world.control("burst", count=20)
        gevent.sleep(1.5)
        assert not second.health()["owner"]
        first.thaw()
        receiver.wait_for(20)
        first.wait_until_settled()
        first.freeze()
        first.kill()
        killed = time.monotonic()
        wait_until(lambda: second.health()["owner"], 20, "the second owns the sockets")
        took = time.monotonic() - killed
        second.wait_for_sockets(1)
        world.control("burst", count=20)
        receiver.wait_for(40)
    assert took < 15
    assert len(receiver.requests) == distinct(receiver) == 40


def through(wire: Wire, url: str) -> str:
    """Return the URL of a PostgreSQL database behind a cable."""
    parsed = make_url(url).set(host="127.0.0.1", port=wire.port, query={})
    return parsed.render_as_string(hide_password=False)


@pytest.mark.postgresql
def test_f28_an_owner_cut_off_from_postgresql_lets_go_and_another_takes_over(
    postgresql_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    with application(postgresql_url, tmp_path) as app, Wire(socket_path(postgresql_url)) as wire:
        company = make_company(app, simulator.url, token, connected=True)
        make_webhook(app, company, receiver.url(), parallelism=4)
        with (
            ServerProcess(through(wire, postgresql_url), tmp_path) as first,
            ServerProcess(postgresql_url, tmp_path) as second,
        ):
            first.wait_for_sockets(1)
            simulator.control("burst", token=token, count=20)
            receiver.wait_for(20)
            first.wait_until_settled()
            wire.cut()
            cut = time.monotonic()
            wait_until(lambda: second.health()["owner"], 20, "the second owns the sockets")
            took = time.monotonic() - cut
            wait_until(lambda: "letting go" in first.output, 20, "the first lets go")
            simulator.wait_for_sockets(token, 1)
            simulator.control("burst", token=token, count=20)
            receiver.wait_for(40)
            wire.mend()
            wait_until(lambda: first.health()["status"] == 200, 20, "the first is well again")
            assert not first.health()["owner"]
            assert simulator.state(token)["sockets"] == 1
        assert rows(app, "SELECT COUNT(*) FROM events")[0][0] == 40
    assert took < 15
    assert len(receiver.requests) == distinct(receiver) == 40


@pytest.mark.slow
@pytest.mark.postgresql
def test_f28_an_owner_that_went_silent_is_replaced_and_may_commit_nothing_afterwards(
    postgresql_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    with application(postgresql_url, tmp_path) as app:
        company = make_company(app, simulator.url, token, connected=True)
        make_webhook(app, company, receiver.url())
        with two_servers(postgresql_url, tmp_path) as (first, second):
            first.freeze()
            wait_until(lambda: second.health()["owner"], SILENCE_MS / 1000)
            wait_until(lambda: second.health()["sockets"]["connected"] == 1)
            # The first gets these too, on a socket that it still regards as its own.
            simulator.control("burst", token=token, count=20)
            receiver.wait_for(20)
            first.thaw()
            wait_until(lambda: "letting go" in first.output, 20, "the first lets go")
            simulator.wait_for_sockets(token, 1)
            assert (first.health()["owner"], second.health()["owner"]) == (False, True)
            simulator.control("burst", token=token, count=20)
            receiver.wait_for(40)
        assert rows(app, "SELECT COUNT(*) FROM events")[0][0] == 40
    assert len(receiver.requests) == distinct(receiver) == 40


@pytest.mark.slow
def test_a_deploy_beside_a_receiver_that_hangs_costs_a_tick_and_a_handshake(
    world: World, receiver: Receiver
) -> None:
    world.begin(timeout=60.0)
    receiver.answer = lambda _: hang()
    with two_servers(world.url, world.folder) as (first, second):
        world.control("burst", count=1)
        receiver.wait_for(1)
        asked, emitted = time.monotonic(), 0
        stopping = gevent.spawn(first.terminate)
        while not (stopping.ready() and world.accepted() == 2):
            emitted += 1
            world.control("emit", event="x", args=[emitted])
            gevent.sleep(0.1)
            assert time.monotonic() - asked < 60
        assert stopping.get() == 0
        second.wait_for_sockets(1)
        wait_until(lambda: second.health()["buffered_events"] == 0)
    stored = rows(world.app, "SELECT COUNT(*) FROM events WHERE name = 'x'")[0][0]
    assert emitted > 20
    print(f"{emitted - stored} of {emitted} events were lost at 10 a second")  # noqa: T201
    # The server hears for 13 s; a busy machine sends less often all the time.
    assert emitted - stored <= emitted // 4


def socket_path(url: str) -> str:
    """Return the path of the PostgreSQL server's socket."""
    return f"{make_url(url).query['host']}/.s.PGSQL.5432"
