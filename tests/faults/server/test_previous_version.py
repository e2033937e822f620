"""The version before the newest migration serves on the newest tables, and is replaced in peace."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.server.streaming import GAPS, payloads
from tests.faults.server.world import World
from tests.support.application import rows
from tests.support.databases import ON_SQLITE
from tests.support.receiver import Receiver
from webhookproxy.database.schema import NEWEST

ROOT = Path(__file__).resolve().parents[3]


def _git(*arguments: str) -> bytes:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The program as it was before the newest migration came; skips where no history tells."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone: no history has the version before")
    (migration,) = (ROOT / "webhookproxy/migrations/versions").glob(f"{NEWEST}_*.py")
    # Empty for a migration that is not committed yet: then the last commit is the one before.
    name = str(migration.relative_to(ROOT))
    added = _git("log", "--format=%H", "--diff-filter=A", "-1", "--", name).decode().strip()
    commit = f"{added}^" if added else "HEAD"
    folder = tmp_path / "previous"
    folder.mkdir()
    try:
        archive = _git("archive", commit, "webhookproxy", "wsgi.py", "gunicorn.conf.py")
    except subprocess.CalledProcessError:
        pytest.skip("the history of this clone is cut off before the newest migration came")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


@ON_SQLITE
@pytest.mark.slow
def test_the_version_before_serves_on_the_newest_tables_until_this_one_takes_over(
    world: World, previous: Path, receiver: Receiver
) -> None:
    newest = list((previous / "webhookproxy/migrations/versions").glob(f"{NEWEST}_*.py"))
    assert newest == [], "it is not the version before"
    world.begin()
    old = world.server()
    old.program = previous
    with old:
        old.wait_for_sockets(1)
        with world.streaming() as stream:
            receiver.wait_for(20)
            with world.server(TAKE_OVER="1") as new:
                assert old.wait() == 0, old.output
                new.wait_for_sockets(1)
                receiver.wait_for(len(receiver.requests) + 20)
                emitted = stream.end()
                receiver.wait_for(sum(emitted.values()))
                new.wait_until_settled()
    assert payloads(receiver) == emitted
    assert rows(world.app, GAPS) == []
