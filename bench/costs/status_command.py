"""`python -m bench.costs.status_command [COMMIT]`: the CPU of `flask status`, now and at a commit.

Without COMMIT it is compared with a process that imports everything, as every command once did.
Both run in turn on one migrated database, so that the machine's load hits both alike; the smallest
time of each counts. It prints the ratio.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 8
STATUS: tuple[str, ...] = ("-m", "flask", "status")
EVERYTHING: tuple[str, ...] = ("-c", "import webhookproxy.cli.shell, flask_migrate, wsgi")


def main() -> None:
    """Measure, and print one line."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        environment = {
            **os.environ,
            "SECRET_KEY": "s" * 40,
            "DATA_KEYS": "d" * 40,
            "DATABASE_URL": f"sqlite:///{folder / 'status.sqlite'}",
            # Compiled modules, as an installation has them.
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        before, words, what = ROOT, EVERYTHING, "importing everything"
        if sys.argv[1:]:
            before, words, what = folder / "before", STATUS, f"at {sys.argv[1]}"
            _git("worktree", "add", "--detach", str(before), sys.argv[1])
            stack.callback(_git, "worktree", "remove", "--force", str(before))
        _run(ROOT, ("-m", "flask", "db", "upgrade"), environment)
        times = [
            (_run(ROOT, STATUS, environment), _run(before, words, environment))
            for _ in range(ROUNDS + 1)
        ][1:]
    now, then = (min(each) for each in zip(*times, strict=True))
    print(f"flask status: {now:.2f} s of CPU; {what}: {then:.2f} s; ratio {now / then:.0%}")


def _run(folder: Path, words: Sequence[str], environment: dict[str, str]) -> float:
    """Return the seconds of CPU of one run of Python."""
    before = _cpu()
    subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, check=True, capture_output=True
    )
    return _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True)


if __name__ == "__main__":
    main()
