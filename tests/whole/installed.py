"""Installations in clean folders: clones with a .venv whose packages are those of these tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands for a Python that was just installed: its .venv has the packages already, and pip, which
# must ask no index, finds nothing missing.
_PYTHON = """#!/bin/sh
if [ "$2" != venv ]; then exec {python} "$@"; fi
mkdir -p .venv
for name in bin include lib lib64 pyvenv.cfg; do
    [ ! -e {venv}/$name ] || ln -s {venv}/$name .venv/$name
done
"""
_FOREIGN = (
    *("BIND", "DATABASE_URL", "SECRET_KEY", "DATA_KEYS", "PUBLIC_URL", "PROXY_HOPS"),
    *("DYNO", "KUBERNETES_SERVICE_HOST"),
)


def environment(folder: Path, **given: str) -> dict[str, str]:
    """Return the environment of a user with an empty home folder, whose Python is at hand."""
    python = folder / "python"
    python.write_text(_PYTHON.format(python=sys.executable, venv=Path(sys.prefix)))
    python.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    quiet = {"GIT_CONFIG_NOSYSTEM": "1", "PIP_NO_INDEX": "1"}
    return {**kept, **quiet, "HOME": str(folder), "PYTHON": str(python), **given}


def repository(folder: Path) -> str:
    """Return where this program can be cloned from; skips where its history is missing."""
    copy = folder / "origin.git"
    command = ["git", "clone", "--quiet", "--bare", str(ROOT), str(copy)]
    if shutil.which("git") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("this is no clone: there is no history to clone from")
    return str(copy)


@contextmanager
def running(
    command: str, folder: Path, given: Mapping[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process of a shell; its group is killed at the end if it still runs."""
    with output.open("wb") as printed:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=dict(given),
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def first_access(output: Path) -> str | None:
    """Return the address of the first access, once the server has printed it."""
    found = re.search(r"http://\S+\?codigo=\S+", output.read_text(encoding="utf-8"))
    return found[0] if found else None
