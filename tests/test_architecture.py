"""The rules of the code: allowed imports, and the sizes of folders and classes.

`bin/lint` runs this file too. A method is every `def` in a class's body: properties, setters and
methods with double underscores count. `__init__.py` does not count as a file of its folder.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "webhookproxy"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
FILES_MIN, FILES_MAX = 3, 12
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
METHODS_MAX = 15
# The simulator is the other end of the line, and runs as a process of its own.
MAY_IMPORT_SOCKETIO = ("listener/wire/protocol.py", "simulator/")
# Migrations grow in number; static files are for the browser, or another project's.
ANY_NUMBER = ("webhookproxy/migrations", "webhookproxy/static", "bench/processes/node_relay")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(module: ast.Module) -> Iterator[str]:
    """Yield the top-level name of every import of a module, also inside functions."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def methods(node: ast.ClassDef) -> int:
    return sum(isinstance(each, Function) for each in node.body)


def folders() -> Iterator[tuple[str, int, bool]]:
    """Yield each folder with the number of its files, and whether it has folders."""
    for top in (PACKAGE, ROOT / "tests", ROOT / "bench"):
        for folder in sorted([top, *(each for each in top.rglob("*") if each.is_dir())]):
            name = str(folder.relative_to(ROOT))
            if folder.name == "__pycache__" or name.startswith(ANY_NUMBER):
                continue
            inside = [each for each in folder.iterdir() if each.name != "__pycache__"]
            files = [each for each in inside if each.is_file() and each.name != "__init__.py"]
            # An empty one was left behind by a checkout: git keeps no folders.
            if inside:
                yield name, len(files), any(each.is_dir() for each in inside)


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    command = (
        "from importlinter.cli import lint_imports;"
        f"raise SystemExit(lint_imports(cache_dir={str(tmp_path)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_listeners_client_and_the_simulator_import_socketio() -> None:
    found = [
        name
        for path in SOURCES
        if not (name := str(path.relative_to(PACKAGE))).startswith(MAY_IMPORT_SOCKETIO)
        and {"socketio", "engineio"} & set(imported(tree(path)))
    ]
    assert not found, found


def test_a_folder_has_three_to_twelve_files() -> None:
    found = [
        f"{name} has {files}"
        for name, files, has_folders in folders()
        if files > FILES_MAX or (files < FILES_MIN and not has_folders)
    ]
    assert not found, "\n".join(found)


def test_a_file_of_the_package_is_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    found = [f"{path} has {each}" for path, each in lines.items() if each > FILE_LINES_MAX]
    assert not found, "\n".join(found)


def test_a_function_of_the_package_is_short() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {node.name} has {length}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not found, "\n".join(found)


def test_a_class_has_few_methods() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {node.name} has {count}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and (count := methods(node)) > METHODS_MAX
    ]
    assert not found, "\n".join(found)


def test_python_3_11_can_define_every_dataclass() -> None:
    # It takes no default that cannot be hashed, as this one; later versions can hash it.
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for class_ in ast.walk(tree(path))
        if isinstance(class_, ast.ClassDef)
        for node in class_.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)
        if isinstance(node.value.func, ast.Name) and node.value.func.id == "MappingProxyType"
    ]
    assert found == [], "use field(default_factory=...)"
