"""The scripts, the locked packages and the files for hosting, as far as that is quick to check."""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted([*ROOT.glob("bin/*"), ROOT / ".ci/run"])


def names(text: str) -> set[str]:
    """The distributions named in a requirements text, as pip compares names."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?[=>]=", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_each_script_is_executable_and_posix_shell(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/sh\n")
    shell = shutil.which("dash") or "sh"
    subprocess.run([shell, "-n", str(script)], check=True)


def test_setup_refuses_an_argument_it_does_not_know() -> None:
    done = subprocess.run([ROOT / "bin/setup", "--all"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bin/setup takes no argument, or --dev.\n"


def test_setup_without_a_usable_python_says_which_to_install(tmp_path: Path) -> None:
    (tmp_path / "clone/bin").mkdir(parents=True)
    for name in ("bin/setup", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / "clone" / name)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cat", "cksum", "dirname", "mkdir", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    # A pyenv shim for a missing version does this.
    (tools / "python3.12").write_text("#!/bin/sh\nexit 127\n")
    (tools / "python3.12").chmod(0o755)
    done = subprocess.run(
        [tmp_path / "clone/bin/setup"], env={"PATH": str(tools)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No Python 3.11, 3.12 or 3.13 with venv was found: install one")
    assert not (tmp_path / "clone/.venv.lock").exists()


def test_the_locked_set_holds_every_declared_package() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    deployed = names((ROOT / "requirements.txt").read_text())
    assert names(parser["options"]["install_requires"]) <= deployed
    everything = names((ROOT / "requirements-dev.txt").read_text())
    declared = parser["options.extras_require"]
    assert names(declared["simulator"]) | names(declared["dev"]) | deployed <= everything


def test_both_sets_lock_the_same_versions() -> None:
    deployed, everything = (
        set(re.findall(r"^[a-z].*==.*$", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert deployed
    assert deployed <= everything


def test_no_lock_file_of_npm_names_a_registry() -> None:
    locks = [each for top in ("bench", "tests") for each in (ROOT / top).rglob("package-lock.json")]
    ours = [each for each in locks if "node_modules" not in each.parts]
    assert len(ours) == 2
    assert not [str(each) for each in ours if '"resolved"' in each.read_text()]


def test_every_text_has_the_same_line_ends_in_any_clone() -> None:
    attributes = (ROOT / ".gitattributes").read_text().splitlines()
    assert "* text=auto eol=lf" in attributes
    listed = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone: git does not know these files")
    for line in listed.stdout.splitlines():
        stored, _, attribute = line.partition("\t")[0].partition("attr/")
        assert stored.split()[0] in ("i/lf", "i/none", "i/-text"), line
        # A picture that git took for a text would be spoiled.
        is_text = "i/-text" not in stored
        assert is_text or attribute.strip() in ("-text", "-text eol=lf"), line


def test_the_hosting_files_start_one_web_process_and_migrate_on_release() -> None:
    assert (ROOT / "Procfile").read_text() == (
        'web: case "$DATABASE_URL" in postgres*) ;; *) flask db upgrade ;; esac'
        ' && BIND="${BIND:-0.0.0.0}" exec gunicorn -c gunicorn.conf.py wsgi:app\n'
        "release: flask db upgrade\n"
    )
    app = json.loads((ROOT / "app.json").read_text())
    assert app["formation"]["web"]["quantity"] == 1
    assert {app["env"][name]["generator"] for name in ("SECRET_KEY", "DATA_KEYS")} == {"secret"}
    assert app["addons"] == [{"plan": "heroku-postgresql:essential-0"}]
    assert (ROOT / ".python-version").read_text() == "3.12\n"


def test_the_server_listens_for_this_machine_only_unless_bind_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("BIND", "PORT"):
        monkeypatch.delenv(name, raising=False)
    config = str(ROOT / "gunicorn.conf.py")
    assert runpy.run_path(config)["bind"] == "127.0.0.1:5000"
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("BIND", "::")
    assert runpy.run_path(config)["bind"] == "[::]:8080"
