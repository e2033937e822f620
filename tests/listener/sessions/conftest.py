"""Sockets that are opened again at once."""

from __future__ import annotations

import pytest

from webhookproxy.listener import connection


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.01)
