"""The sending half of a server, to be backed up and restored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.delivery.lanes_world import Sending, sending


@pytest.fixture
def half(any_app: Flask) -> Iterator[Sending]:
    """On each database."""
    with sending(any_app) as half:
        yield half
