"""On which databases a test runs, and who owns the shards of one."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.application import store_of
from webhookproxy.database.fence import WHOLE, Fence, Share, take

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# For a test that starts processes: on PostgreSQL it is left to "bin/test --all".
QUICK_ON_SQLITE = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=(pytest.mark.postgresql, pytest.mark.slow))],
    indirect=True,
)


def raised(fence: Fence | None, by: int = 1) -> Fence:
    """Return the fence with the number of each shard raised."""
    assert fence is not None
    return Fence({shard: number + by for shard, number in fence.numbers.items()})


def own_all(app: Flask, holder: str = "host:1") -> Fence:
    """Own every shard; return the fence."""
    return own(app, WHOLE, holder)


def own(app: Flask, share: Share, holder: str = "host:1") -> Fence:
    """Own the shards of a share; return the fence."""
    return store_of(app).run(lambda connection: take(connection, share, holder=holder))[0]
