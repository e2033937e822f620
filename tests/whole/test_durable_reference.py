"""The relay of BullMQ and Redis, with which `bin/bench` compares: what it stored, it delivers."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.load import EVENT
from bench.processes.relays import Stage, new_token, start_durable, why_not_durable
from bench.processes.stage import wait_for

EVENTS = 20
# BullMQ takes a minute to notice a job that a killed worker had begun.
SECONDS = 100.0


def stored(folder: Path) -> bool:
    """Return whether the append-only file has all events, each of them refused."""
    text = b"".join(path.read_bytes() for path in folder.rglob("*.aof"))
    events = set(re.findall(rb'"seq":(\d+)', text))
    return len(events) == EVENTS and text.count(b"failedReason") >= EVENTS


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_durable_reference_stored_is_delivered_after_it_was_killed(tmp_path: Path) -> None:
    if reason := why_not_durable():
        pytest.skip(reason)
    token = new_token()
    with ExitStack() as stack:
        stage = Stage(stack, max(os.sched_getaffinity(0)))
        stage.receiver.switch(down=True)
        relay = start_durable(stage, token, "always", tmp_path, stack)
        stage.simulator.command("burst", count=EVENTS, token=token, event=EVENT)
        wait_for(lambda: stored(tmp_path), "the storing of all events")
        for process in relay.processes():
            process.kill()
        stage.receiver.switch(down=False)
        start_durable(stage, token, "always", tmp_path, stack)
        wait_for(lambda: stage.receiver.count() == EVENTS, "the arrival of all events", SECONDS)
        assert stage.receiver.arrivals()["unsigned"] == 0
