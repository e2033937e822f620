"""A command imports what it needs and no more: scripts call `flask` often."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.application import KEYS

ROOT = Path(__file__).parent.parent.parent
STATUS = """
import runpy, sys
sys.argv = ["flask", "status"]
try:
    runpy.run_module("flask", run_name="__main__")
finally:
    print(*sys.modules, sep="\\n")
"""


@pytest.mark.slow
def test_status_imports_no_pages_no_migrations_and_no_other_command(sqlite_url: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", STATUS],
        cwd=ROOT,
        env={**os.environ, **KEYS, "DATABASE_URL": sqlite_url},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    first, *modules = run.stdout.splitlines()
    assert first.startswith("There are no companies yet")
    rooms = {tuple(name.split(".")[:2]) for name in modules}
    for name in ("alembic", "argon2", "flask_login", "flask_wtf", "phonenumbers", "psycopg"):
        assert (name,) not in {room[:1] for room in rooms}, name
    for name in ("requests", "socketio", "uvicorn", "prometheus_client"):
        assert (name,) not in {room[:1] for room in rooms}, name
    for name in ("alerts", "demo", "delivery", "listener", "maintenance", "simulator", "web"):
        imported = [each for each in modules if each.startswith(f"webhookproxy.{name}.")]
        assert imported in ([], ["webhookproxy.maintenance.keycheck"]), imported
    tables = [each for each in modules if each.startswith("webhookproxy.models.")]
    assert not any(".accounts" in each or ".alerts" in each for each in tables), tables
    assert {each for each in modules if each.startswith("webhookproxy.cli.")} == {
        "webhookproxy.cli.shared",
        *(f"webhookproxy.cli.shared.{each}" for each in ("errors", "lazy", "output")),
        "webhookproxy.cli.status",
    }
