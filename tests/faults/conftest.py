"""The halves of a server and the programs for the rows of the matrix."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, hurry, sending
from tests.listener.listening import Listening, listening
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess


@pytest.fixture
def token() -> str:
    """Return a new token: the simulator counts by token, and each test counts from 0."""
    return f"canary-{secrets.token_hex(16)}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a receiver that accepts until a test changes it."""
    with Receiver() as receiver:
        yield receiver


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
