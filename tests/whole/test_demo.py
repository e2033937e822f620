"""`bin/demo --events`: the whole product, from a fresh database to verified POSTs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # 30 events for the webhook with all kinds, and 6 for the one with two kinds.
    assert "lost:      0\n" in done.stdout
    assert "doubled:   0\n" in done.stdout
    assert "verified:  36 of 36 signatures\n" in done.stdout
