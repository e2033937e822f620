"""A search on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.searching import Searching, searching


@pytest.fixture
def search(database_url: str, tmp_path: Path) -> Iterator[Searching]:
    with searching(database_url, tmp_path) as search:
        yield search


@pytest.fixture
def sqlite_search(sqlite_url: str, tmp_path: Path) -> Iterator[Searching]:
    with searching(sqlite_url, tmp_path) as search:
        yield search


@pytest.fixture
def postgresql_search(postgresql_url: str, tmp_path: Path) -> Iterator[Searching]:
    with searching(postgresql_url, tmp_path) as search:
        yield search
