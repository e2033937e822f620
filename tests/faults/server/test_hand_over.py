"""A server that ends hands its sockets over to one that waits: no event is lost or doubled."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.server.streaming import GAPS, RATE, Stream, payloads
from tests.faults.server.world import World, two_servers
from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.databases import ON_SQLITE
from tests.support.receiver import OK, Receiver, hang
from tests.support.server_process import ServerProcess


@contextmanager
def owner_and_successor(world: World) -> Iterator[tuple[ServerProcess, ServerProcess, Stream]]:
    """Yield the owner of a company's socket, a server that waits for its place, and a stream."""
    with two_servers(world.url, world.folder) as (first, second), world.streaming() as stream:
        wait_until(lambda: "and waits" in second.output, 20, "the second waits")
        yield first, second, stream


@pytest.mark.slow
def test_a_deploy_with_a_successor_loses_and_doubles_nothing(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    with owner_and_successor(world) as (first, second, stream):
        receiver.wait_for(20)
        assert first.terminate() == 0
        wait_until(lambda: second.health()["owner"], 20, "the second server owns the sockets")
        receiver.wait_for(len(receiver.requests) + 20)
        emitted = stream.end()
        receiver.wait_for(sum(emitted.values()))
        second.wait_until_settled()
        assert "without a hole" in second.output
    assert payloads(receiver) == emitted
    assert rows(world.app, GAPS) == []
    assert world.accepted() == 2


@ON_SQLITE
@pytest.mark.slow
def test_a_server_that_ends_the_first_socket_of_a_token_costs_one_recorded_hole(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    world.control("one_socket", only=True)
    with owner_and_successor(world) as (first, second, stream):
        receiver.wait_for(20)
        first.terminate()
        wait_until(lambda: second.health()["owner"], 20, "the second server owns the sockets")
        receiver.wait_for(len(receiver.requests) + 20)
        stream.end()
        second.wait_until_settled()
    came = payloads(receiver)
    assert not came - stream.emitted
    (gap,) = rows(world.app, GAPS)
    # What fell between the two sockets, of which the simulator has the second one at once. Without
    # a handover it would be a second and more.
    assert gap.ended_at is not None
    assert sum((stream.emitted - came).values()) <= RATE // 2
    assert world.accepted() == 2
    assert rows(world.app, "SELECT one_socket_at FROM connections")[0][0] is not None


@ON_SQLITE
@pytest.mark.slow
def test_a_server_that_takes_over_ends_the_other_which_goes_on_if_the_new_one_dies(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    with world.server() as first:
        first.wait_for_sockets(1)
        with world.server(TAKE_OVER="1") as second:
            world.simulator.wait_for_sockets(world.token, 2)
            second.kill()
        wait_until(lambda: "this one goes on" in first.output, 20, "the first goes on")
        with (
            world.streaming() as stream,
            world.server(TAKE_OVER="1") as third,
        ):
            assert first.wait() == 0
            third.wait_for_sockets(1)
            receiver.wait_for(len(receiver.requests) + 20)
            emitted = stream.end()
            receiver.wait_for(sum(emitted.values()))
            third.wait_until_settled()
    assert payloads(receiver) == emitted
    assert rows(world.app, GAPS) == []


@ON_SQLITE
@pytest.mark.slow
def test_an_owner_that_is_killed_while_it_hands_over_loses_nothing_that_both_heard(
    world: World,
) -> None:
    app = world.app
    company = make_company(app, world.simulator.url, world.token, connected=True)
    # The first server waits for this receiver, so the handover is still going on.
    with Receiver(lambda _request: hang()) as slow, Receiver() as quick:
        make_webhook(app, company, slow.url(), events=("y",))
        make_webhook(app, company, quick.url(), events=("x",))
        with owner_and_successor(world) as (first, second, stream):
            world.control("emit", event="y", args=[{}])
            slow.wait_for(1)
            first.signal(signal.SIGTERM)
            wait_until(lambda: "opening sockets" in second.output, 20, "it opens sockets")
            world.simulator.wait_for_sockets(world.token, 2)
            # Events that both hear.
            had = sum(stream.emitted.values())
            wait_until(lambda: sum(stream.emitted.values()) > had + RATE, 20, "a second's events")
            slow.answer = OK
            first.kill()
            wait_until(lambda: second.health()["owner"], 20, "the second owns the sockets")
            emitted = stream.end()
            wait_until(lambda: not emitted - payloads(quick), 20, "all that was emitted has come")
            second.wait_until_settled()
            more = payloads(quick) - emitted
    assert sum(more.values()) <= 80, more


@pytest.mark.postgresql
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_share_that_is_moved_by_a_command_leaves_no_hole(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin()
    monkeypatch.setitem(world.app.config, "SHARES", 2)
    runner = world.app.test_cli_runner()

    def owners() -> list[str | None]:
        listed = runner.invoke(args=["shard", "list", "--json"])
        return [each["owner"] for each in json.loads(listed.stdout)]

    with world.server(SHARES="2"), world.server(SHARES="2"), world.streaming() as stream:
        wait_until(lambda: len(set(owners()) - {None}) == 2, 30, "each owns a share")
        receiver.wait_for(20)
        other, _ = owners()
        moved = runner.invoke(args=["shard", "move", "1", str(other)])
        assert moved.exit_code == 0, moved.output
        wait_until(lambda: owners() == [other, other], 50, "the company's share has moved")
        receiver.wait_for(len(receiver.requests) + 20)
        emitted = stream.end()
        receiver.wait_for(sum(emitted.values()))
    assert payloads(receiver) == emitted
    assert rows(world.app, GAPS) == []
