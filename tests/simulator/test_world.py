"""The life of a company: complete calls, matching ids, types as in the catalogue."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from importlib.resources import files
from random import Random
from typing import Any

from tests.simulator.client import connected
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.simulator.world import World


def test_the_events_of_a_call_share_its_ids_and_come_in_order(lively: SimulatorProcess) -> None:
    calls: dict[str, list[str]] = defaultdict(list)
    with connected(lively, "a-manager-token") as client:
        for _ in range(1_500):
            name, payload = client.event()
            if "call" in payload and name.startswith("call-"):
                call = payload["call"]
                key = call["telephony_id"]
                assert call["id"] == f"call:{call['company_id']}:{call['campaign_id']}:{key}"
                calls[key].append(name)
            elif name == "call-history-was-created":
                calls[payload["callHistory"]["telephony_id"]].append(name)
    answered = [life for life in calls.values() if "call-was-connected" in life]
    finished = [life for life in answered if life[-1] == "call-history-was-created"]
    assert finished
    for life in finished:
        places = [life.index(f"call-was-{step}") for step in ("answered", "connected", "finished")]
        assert places == sorted(places)


def test_an_agent_is_busy_from_the_connection_until_idle(lively: SimulatorProcess) -> None:
    busy: set[int] = set()
    conversations = 0
    with connected(lively, "another-manager-token") as client:
        for _ in range(1_500):
            name, payload = client.event()
            if name == "call-was-connected":
                assert payload["agent"]["id"] not in busy
                assert payload["call"]["agent"] == str(payload["agent"]["id"])
                busy.add(payload["agent"]["id"])
                conversations += 1
            elif name == "agent-is-idle":
                busy.discard(payload["agent"]["id"])
    assert conversations > 5


def test_the_rate_is_kept_on_average() -> None:
    # A rate for which a busy machine is quick enough too.
    with SimulatorProcess(rate=200) as steady, connected(steady, "rate-token") as client:
        client.event()
        found = []
        # A busy machine may hold up the simulator, which then sends faster for a while.
        until = time.monotonic() + 60
        while (start := time.monotonic()) < until:
            for _ in range(200):
                client.event()
            found.append(time.monotonic() - start)
            if 0.87 < found[-1] < 1.3:
                return
        raise AssertionError(f"two hundred events took {found} s")


def test_types_and_keys_are_those_of_the_catalogue(quiet: SimulatorProcess) -> None:
    catalogue = json.loads(files("webhookproxy.events").joinpath("catalog.json").read_text("utf-8"))
    with connected(quiet, "catalogue-token") as client:
        for name, entry in catalogue.items():
            quiet.control("emit", token="catalogue-token", event=name)
            heard, payload = client.event()
            assert heard == name
            assert _shape(payload) == _shape(entry["sample"])


def test_the_same_seed_gives_the_same_company() -> None:
    def company() -> Any:
        with SimulatorProcess(seed=7) as simulator, connected(simulator, "seeded-token") as client:
            simulator.control("emit", event="call-was-created")
            return client.event()[1]["call"]["company_id"]

    assert company() == company()


def test_half_of_the_conversations_are_ended_by_the_customer_and_all_are_finished() -> None:
    world = World(Random(5), 10)  # noqa: S311
    names = Counter(world.next_event().name for _ in range(3_000))
    assert names["call-was-connected"] > 100
    assert 0.4 < names["call-was-ended"] / names["call-was-finished"] < 0.6
    assert names["agent-is-idle"] > 100


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value)
