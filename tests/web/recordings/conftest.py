"""A company with links to recordings for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from tests.listener.listening import listening
from tests.support.simulator_process import SimulatorProcess
from tests.web.recordings.world import PUBLIC, World
from webhookproxy.platform import pace, recordings


@pytest.fixture
def world(
    app: Flask, simulator: SimulatorProcess, token: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    monkeypatch.setattr(recordings, "PAUSE_SECONDS", 0.0)
    app.config["PUBLIC_URL"] = PUBLIC
    policy = replace(app.extensions["policy"], rest_hosts=frozenset({"127.0.0.1"}))
    app.extensions["policy"] = policy
    with listening(app, simulator) as half:
        yield World(half, token)
