"""What holds the code together: who imports whom, and how long anything may grow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "webhookproxy"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
# The simulator is the other end of the line, and runs as a process of its own.
MAY_IMPORT_SOCKETIO = ("listener/client.py", "simulator/")


def imported(tree: ast.Module) -> Iterator[str]:
    """The top-level name of everything a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    command = (
        "from importlinter.cli import lint_imports;"
        f"raise SystemExit(lint_imports(cache_dir={str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_source_file_is_short_and_leaves_socketio_to_one_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES_MAX
    tree = ast.parse(text)
    if not str(path.relative_to(PACKAGE)).startswith(MAY_IMPORT_SOCKETIO):
        assert not {"socketio", "engineio"} & set(imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"
