"""Simulators that the tests of a file share; each test uses its own token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulator_process import SimulatorProcess


@pytest.fixture(scope="module")
def quiet() -> Iterator[SimulatorProcess]:
    with SimulatorProcess() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def lively() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(rate=1_000, agents=5) as simulator:
        yield simulator
