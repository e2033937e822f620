"""A sending half for each test, on SQLite or on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, hurry, sending
from tests.support import application as world


@pytest.fixture
def half(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """On SQLite, with quick schedules."""
    hurry(monkeypatch)
    with sending(app) as half:
        yield half


@pytest.fixture
def any_half(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sending]:
    """On each database, with quick schedules."""
    hurry(monkeypatch)
    with world.application(database_url, tmp_path) as app, sending(app) as half:
        yield half
