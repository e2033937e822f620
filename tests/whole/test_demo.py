"""`bin/demo`: the whole product, from a fresh database to verified POSTs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server_process import free_port
from webhookproxy.demo.kept import Kept, keep
from webhookproxy.demo.programs import DemoError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_demo_loses_nothing_and_verifies_every_signature() -> None:
    keys = {"SECRET_KEY": "s" * 32, "DATA_KEYS": "d" * 32}
    done = subprocess.run(
        [sys.executable, "-m", "webhookproxy.demo", "--events", "30"],
        cwd=ROOT,
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # 30 events for the webhook with all kinds, and 6 for the one with two kinds.
    assert "lost:      0\n" in done.stdout
    assert "doubled:   0\n" in done.stdout
    assert "verified:  36 of 36 signatures\n" in done.stdout


def test_the_demo_keeps_its_port_and_password_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PORT", raising=False)
    file = tmp_path / "demo.json"
    first = keep(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert keep(file) == first
    monkeypatch.setenv("PORT", str(free_port()))
    assert keep(file) == Kept(int(os.environ["PORT"]), first.password)
    file.write_text("spoiled")
    assert keep(file).password != first.password


@pytest.mark.parametrize("port", ["http", "65536"])
def test_the_demo_refuses_a_port_that_is_none(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(DemoError, match="PORT must be a whole number from 0 to 65535"):
        keep(tmp_path / "demo.json")


def test_the_demo_says_that_its_port_is_taken_and_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(DemoError, match=f"listens on port {port}, perhaps another demo"):
            keep(tmp_path / "demo.json")
