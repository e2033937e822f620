"""Fences that a test plays: another owner's, or the next one of the same process."""

from __future__ import annotations

from flask import Flask

from tests.support.application import store_of
from webhookproxy.database.fence import Fence, take_all


def raised(fence: Fence | None, by: int = 1) -> Fence:
    """Return the fence with the number of each shard raised."""
    assert fence is not None
    return Fence({shard: number + by for shard, number in fence.numbers.items()})


def own_all(app: Flask, holder: str = "host:1") -> Fence:
    """Own every shard; return the fence."""
    return store_of(app).run(lambda connection: take_all(connection, holder=holder))[0]
