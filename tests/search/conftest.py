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
