"""The halves of a server and the programs for the rows of the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, hurry, sending
from tests.faults.server.world import World
from tests.faults.stream import Stream
from tests.listener.listening import Listening, listening
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess


@pytest.fixture
def stream(app: Flask, simulator: SimulatorProcess, receiver: Receiver) -> Stream:
    """A stream whose company is wished connected, with its webhook at the receiver."""
    stream = Stream(app, simulator, receiver)
    stream.begin()
    return stream


@pytest.fixture
def ears(app: Flask, simulator: SimulatorProcess) -> Iterator[Listening]:
    """The listening half of a server."""
    with listening(app, simulator) as half:
        yield half


@pytest.fixture
def half(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """The sending half of a server, with quick schedules."""
    hurry(monkeypatch)
    with sending(app) as half:
        yield half


@pytest.fixture
def world(
    any_app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> World:
    """A database, the simulator and a receiver, for whole servers to run between."""
    return World(any_app, database_url, tmp_path, simulator, receiver, token)
