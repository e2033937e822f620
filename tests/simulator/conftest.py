"""Simulators shared by the tests of a file; each test uses a token of its own."""

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
