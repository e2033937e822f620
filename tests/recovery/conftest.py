"""A listening half whose recoveries are stepped by the test, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Reusable
from tests.listener.listening import listening
from tests.recovery.world import World
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.platform import pace


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])]
)
def world(
    request: pytest.FixtureRequest,
    reusable: Reusable,
    simulator: SimulatorProcess,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    url: str = request.getfixturevalue(f"{request.param}_url")
    with reusable(url).as_new() as app, listening(app, simulator) as half:
        yield World(half, token)
