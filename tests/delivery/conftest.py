"""A sending half for each test, on SQLite or on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, hurry, sending


@pytest.fixture
def half(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """On SQLite, with quick schedules."""
    hurry(monkeypatch)
    with sending(app) as half:
        yield half


@pytest.fixture
def any_half(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """On each database, with quick schedules."""
    hurry(monkeypatch)
    with sending(any_app) as half:
        yield half
