"""Payloads are personal data: no other user of the machine may read the files that hold them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.application import KEYS, wait_until
from tests.support.server_process import ServerProcess
from webhookproxy.serving.files import close_to_others

ROOT = Path(__file__).resolve().parents[2]


def modes(folder: Path) -> dict[str, int]:
    found = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("relay*")}
    return dict(sorted(found.items()))


@pytest.mark.slow
def test_the_files_of_commands_and_server_are_for_their_own_user_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/relay.sqlite"
    subprocess.run(
        [sys.executable, "-m", "flask", "db", "upgrade"],
        cwd=ROOT,
        env={**os.environ, **KEYS, "DATABASE_URL": url},
        capture_output=True,
        umask=0o022,
        check=True,
    )
    assert modes(tmp_path)["relay.sqlite"] == 0o600
    with ServerProcess(url, tmp_path) as server:
        wait_until(lambda: "relay-search.sqlite" in modes(tmp_path), 20, "the search has its file")
        assert "relay.sqlite-wal" in modes(tmp_path)
        assert set(modes(tmp_path).values()) == {0o600}
        assert "other users" not in server.output


@pytest.mark.slow
def test_files_that_others_could_read_are_closed_at_the_start(
    sqlite_url: str, tmp_path: Path
) -> None:
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    search = database.with_name(f"{database.stem}-search.sqlite")
    for path in (database, search):
        path.touch()
        path.chmod(0o644)
    with ServerProcess(sqlite_url, tmp_path) as server:
        assert {path.stat().st_mode & 0o777 for path in database.parent.glob("test*")} == {0o600}
        # The console has a thread of its own, which may be behind.
        wait_until(lambda: "other users" in server.output, 20, "the line is printed")
        lines = [line for line in server.output.splitlines() if "other users" in line]
    assert len(lines) == 1
    assert f"{database.name}, {search.name}" in lines[0]


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1/relay", "sqlite:///{}/relay.sqlite"])
def test_the_instance_folder_is_closed_wherever_the_database_is(url: str, tmp_path: Path) -> None:
    # As git makes it.
    instance = tmp_path / "instance"
    instance.mkdir(mode=0o755)
    close_to_others(url.format(tmp_path), instance)
    assert instance.stat().st_mode & 0o777 == 0o700
    close_to_others(url.format(tmp_path), tmp_path / "missing")
