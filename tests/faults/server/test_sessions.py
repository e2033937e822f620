"""A server with connection state recovery: neither a drop nor a kill -9 of ours loses an event."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.faults.server.streaming import GAPS
from tests.faults.server.world import World
from tests.support.application import rows, wait_until
from tests.support.receiver import Receiver

# Requests that may be under way when a server is killed: 64, and two for each of eight at a time.
UNDER_WAY = 80


def came(receiver: Receiver) -> Counter[str]:
    """Return how often each payload came, an event that was sent twice counted once."""
    bodies = [json.loads(each.body) for each in receiver.requests]
    once = {body["meta"]["event_id"]: json.dumps(body["payload"]) for body in bodies}
    return Counter(once.values())


@pytest.mark.slow
def test_drops_and_a_kill_lose_nothing_if_the_server_sends_again_what_was_missed(
    world: World, receiver: Receiver
) -> None:
    world.begin()
    world.control("recovery")

    def recovered(count: int) -> bool:
        found = rows(world.app, "SELECT COUNT(*) FROM gaps WHERE recovered")
        return int(found[0][0]) == count

    with world.server() as first:
        first.wait_for_sockets(1)
        with world.streaming() as stream:
            receiver.wait_for(20)
            world.control("drop")
            wait_until(lambda: recovered(1), 60, "the drop is made good")
            receiver.wait_for(len(receiver.requests) + 20)
            assert len(receiver.requests) == came(receiver).total()
            first.kill()
            with world.server() as second:
                wait_until(lambda: recovered(2), 60, "the death is made good")
                receiver.wait_for(len(receiver.requests) + 20)
                emitted = stream.end()
                wait_until(lambda: came(receiver).total() >= emitted.total(), 60, "all")
                second.wait_until_settled()
    assert came(receiver) == emitted
    assert len(receiver.requests) - emitted.total() <= UNDER_WAY
    assert {gap.reason for gap in rows(world.app, GAPS)} == {"dropped", "owner_gone"}
