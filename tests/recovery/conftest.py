"""A listening half whose recoveries are stepped by the test, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.listener.listening import listening
from tests.recovery.world import World
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.platform import pace


@pytest.fixture
def world(
    any_app: Flask, simulator: SimulatorProcess, token: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    with listening(any_app, simulator) as half:
        yield World(half, token)
