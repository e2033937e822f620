"""The documents match the program: settings, commands and links."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from webhookproxy import create_app
from webhookproxy.config.settings import SETTINGS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
DEV = sorted((ROOT / "docs/dev").rglob("*.md"))
# Commands that Flask and Flask-Migrate bring along have documents of their own.
NOT_OURS = ("db", "routes", "run", "shell")


def rows(document: str) -> list[list[str]]:
    """Return the cells of a document's table, without its heading."""
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def our_commands(tmp_path: Path) -> list[str]:
    app = create_app(
        {
            "SECRET_KEY": "s" * 32,
            "DATA_KEYS": "d" * 32,
            "DATABASE_URL": "",
            "INSTANCE_PATH": str(tmp_path),
        }
    )

    context = click.Context(app.cli)

    def walk(group: click.Group, before: str = "") -> Iterator[str]:
        for name in group.list_commands(context):
            each = group.get_command(context, name)
            if isinstance(each, click.Group) and name not in NOT_OURS:
                yield from walk(each, f"{before}{name} ")
            elif name not in NOT_OURS:
                yield f"{before}{name}"

    return list(walk(app.cli))


def test_the_page_of_settings_has_each_with_its_default_unit_and_reason() -> None:
    expected = [
        [
            f"`{setting.name}`",
            f"`{setting.default}`" if setting.default else "vazio",
            setting.unit,
            setting.reason,
        ]
        for setting in SETTINGS
    ]
    assert rows("docs/uso/configuracoes.md") == expected


def test_the_page_of_commands_has_every_command_and_no_other(tmp_path: Path) -> None:
    cells = [row[0] for row in rows("docs/uso/comandos.md")]
    described = [re.match(r"`flask ((?:[a-z]+(?:-[a-z]+)* ?)+)", cell) for cell in cells]
    names = [found[1].strip() for found in described if found]
    assert sorted(names) == sorted(our_commands(tmp_path))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_something(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        parts = urlsplit(target)
        if not parts.scheme and parts.path:
            assert (document.parent / unquote(parts.path)).exists(), target


def test_every_picture_is_shown_in_a_document() -> None:
    shown = {
        Path(link).name
        for document in DOCUMENTS
        for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", document.read_text(encoding="utf-8"))
    }
    assert {path.name for path in (ROOT / "docs").rglob("*.png")} <= shown


def test_every_decision_has_a_number_of_its_own_and_says_why() -> None:
    decisions = sorted((ROOT / "docs/dev/decisions").glob("*.md"))
    numbers = [path.name[:4] for path in decisions]
    assert numbers == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), path.name
        assert "**Why:**" in text, path.name


def test_the_page_of_dependencies_has_every_declared_package_and_no_other() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    declared = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    page = (ROOT / "docs/dev/dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([a-z][^|]+) \|", page, re.MULTILINE)
    described = [name for cell in cells if cell != "package" for name in cell.split(", ")]
    assert len(described) == len(set(described))
    assert set(described) == set(re.findall(r"^[a-z0-9-]+", "\n".join(declared), re.MULTILINE))


@pytest.mark.parametrize("document", DEV, ids=lambda path: path.name)
def test_a_document_names_code_and_tests_that_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    places = [ROOT, *(ROOT / name for name in ("webhookproxy", "tests", "bench"))]
    named = re.findall(r"`([a-z_/0-9]+\.py)`(?!\])", text)
    missing = [name for name in named if not any((place / name).exists() for place in places)]
    assert missing == []


def test_the_architecture_names_every_room() -> None:
    text = (ROOT / "docs/dev/architecture.md").read_text(encoding="utf-8")
    package = ROOT / "webhookproxy"
    rooms = {str(path.parent.relative_to(package)) for path in package.rglob("*/__init__.py")}
    assert rooms - set(re.findall(r"`([a-z_/]+)`", text)) == set()
