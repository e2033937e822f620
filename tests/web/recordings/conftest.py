"""A company with links to recordings for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from tests.listener.listening import listening
from tests.support.application import rest_on_loopback
from tests.support.simulator_process import SimulatorProcess
from tests.web.recordings.world import PUBLIC, World
from webhookproxy.platform import pace, recordings


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have 3C Plus be asked without a pause."""
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    monkeypatch.setattr(recordings, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def world(app: Flask, simulator: SimulatorProcess, token: str) -> Iterator[World]:
    with world_in(app, simulator, token) as world:
        yield world


@pytest.fixture
def any_world(any_app: Flask, simulator: SimulatorProcess, token: str) -> Iterator[World]:
    """The same, once on each kind of database."""
    with world_in(any_app, simulator, token) as world:
        yield world


@contextmanager
def world_in(app: Flask, simulator: SimulatorProcess, token: str) -> Iterator[World]:
    app.config["PUBLIC_URL"] = PUBLIC
    rest_on_loopback(app)
    with listening(app, simulator) as half:
        yield World(half, token)
