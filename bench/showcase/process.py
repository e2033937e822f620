"""Run the showcase in its own process, beside a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[str]:
    """Yield the address of a showcase whose database is in that folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.showcase", str(folder), *arguments],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the showcase did not start"
        yield address
    finally:
        process.kill()
        process.communicate()
