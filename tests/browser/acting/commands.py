"""Runs `flask` commands as `python -m flask` does, but without importing the program each time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Commands:
    """Imports take 1.8 s of a command's 2 s of CPU: one process does them, and is forked for each.

    It begins with the first command, and ends with `close`.
    """

    def run(self, arguments: tuple[str, ...], settings: Mapping[str, str], typed: str) -> str:
        """Return what a command prints; raise AssertionError with its errors if it fails."""
        job = {"arguments": arguments, "settings": dict(settings), "typed": typed}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, "the process that runs commands ended"
        code, printed, errors = json.loads(answer)
        assert code == 0, f"{code}: {errors}"
        return str(printed)

    def close(self) -> None:
        """End the process, if it began."""
        if "_server" in vars(self):
            # It ends when there is nothing more to read.
            self._server.communicate()

    @cached_property
    def _server(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.browser.acting.command_server"],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the tests, which end it.
            start_new_session=True,
        )
