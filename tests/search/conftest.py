"""A search on each database."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.search.searching import Searching


@pytest.fixture
def search(any_app: Flask) -> Searching:
    return Searching(any_app)


@pytest.fixture
def sqlite_search(app: Flask) -> Searching:
    return Searching(app)


@pytest.fixture
def postgresql_search(postgresql_app: Flask) -> Searching:
    return Searching(postgresql_app)
