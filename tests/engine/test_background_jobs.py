"""The background jobs run while this process owns the sockets and follows all companies."""

from __future__ import annotations

from collections.abc import Collection

import gevent
import pytest
from flask import Flask

from tests.engine.test_lifecycle import running
from tests.support.application import wait_until
from webhookproxy.database.fence import Fence
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.recovery import recovering


def test_no_job_works_before_all_companies_are_followed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that was recovered then would be due to no webhook."""
    steps: list[None] = []
    before: list[int] = []
    start = Relay.start

    def slowly(relay: Relay, fence: Fence, *, continued: Collection[int]) -> None:
        start(relay, fence, continued=continued)
        for _ in range(50):
            gevent.sleep(0.002)
        before.append(len(steps))

    # Without a pause it would keep the loop from everything else.
    monkeypatch.setattr(recovering, "PAUSE_IDLE", 0.001)
    monkeypatch.setattr(recovering.Recovering, "step", lambda _self: steps.append(None))
    monkeypatch.setattr(Relay, "start", slowly)
    with running(app):
        wait_until(lambda: steps, 20, "the jobs run")
    assert before == [0]
