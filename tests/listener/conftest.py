"""A simulator for each file of tests, and a listening half for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.listener.listening import Listening, listening
from tests.support.simulator_process import SimulatorProcess


@pytest.fixture
def half(app: Flask, simulator: SimulatorProcess) -> Iterator[Listening]:
    with listening(app, simulator) as half:
        yield half


@pytest.fixture
def any_half(any_app: Flask, simulator: SimulatorProcess) -> Iterator[Listening]:
    """The same on each database."""
    with listening(any_app, simulator) as half:
        yield half
