"""Return the user whose rows are checked."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.support.application import store_of
from webhookproxy.models.accounts.people import create_user

ANA = "ana@exemplo.com.br"


def do(app: Flask, job: Any) -> Any:
    return store_of(app).session(job)


@pytest.fixture
def ana(app: Flask) -> int:
    """Return a user's number."""
    number: int = do(app, lambda s: create_user(s, ANA, "hash", admin=True).id)
    return number
