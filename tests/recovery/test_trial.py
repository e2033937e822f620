"""Calls end while sockets are cut, the server is killed, and 3C Plus answers oddly over REST."""

from __future__ import annotations

import pytest

from bench.torture.calls.plan import SHORT
from bench.torture.calls.trial import run


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def test_each_call_is_stored_once_and_delivered_once_to_each_webhook(database: str) -> None:
    account, settled = run(database, SHORT, seed=20)
    assert settled, account.lines()
    assert not account.wrong, account.lines()
