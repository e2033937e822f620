"""A folder of backups, of which the newest are kept."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from webhookproxy.maintenance.backup import BackupError, make_backup

# In order of their names is in order of time.
_NAME = "webhookproxy-%Y%m%dT%H%M%SZ.sqlite"
_OURS = f"webhookproxy-{'[0-9]' * 8}T{'[0-9]' * 6}Z.sqlite"


def make_kept_backup(reading: Engine, folder: Path, keep: int, now: datetime) -> tuple[Path, int]:
    """Write a backup into a folder, and remove all but the newest `keep` of them.

    Return its path and the number of waiting deliveries. Files with other names stay. Raises
    BackupError, and removes nothing, if no backup could be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(f"{folder}: {error.strerror}.") from None
    path = folder / now.strftime(_NAME)
    waiting = make_backup(reading, path)
    try:
        for old in sorted(folder.glob(_OURS))[:-keep]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(
            f"{path} is made, but an older backup could not be removed ({error.strerror})."
        ) from None
    return path, waiting
