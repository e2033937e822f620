"""What one process does for a share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from flask import Flask

from tests.support.application import rows, store_of
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.logs.console import Console
from webhookproxy.models.installation.processes import Role


@pytest.mark.parametrize(
    ("shards_max", "role", "said"), [(0, Role.PAGES, 0), (64, Role.STANDBY, 1)]
)
def test_only_a_process_that_may_own_shards_waits_for_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch, shards_max: int, role: Role, said: int
) -> None:
    monkeypatch.setitem(app.config, "SHARDS_MAX", shards_max)
    owners = lock_for(app.config["OWN_SESSION_URL"])
    assert owners.take()
    with Path(os.devnull).open("wb") as nowhere:
        console = Console(nowhere.fileno(), logging.INFO, 200)
        engine = Engine(app, store_of(app), console)
        (runner,) = engine.runners
        # One look of each of its greenlets, which are not started.
        runner.heartbeat._step()
        runner._step()
        assert engine.role() is role
        # An owner that ends would wait for it to open sockets.
        assert len(rows(app, "SELECT waiting_at FROM handovers")) == said
        # It takes no share back while it stops.
        owners.free()
        runner._stopping = True
        runner.heartbeat._step()
        assert not runner.is_taken
        console.close()
