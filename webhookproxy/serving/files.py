"""Closes the files of a SQLite database to other users of the machine: payloads are in them."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from sqlalchemy.engine import make_url

from webhookproxy.config.keys import close_folder
from webhookproxy.search.index.engines import file_beside

logger = logging.getLogger(__name__)


def close_to_others(url: str, instance: Path) -> None:
    """Close the instance folder, the database, its log and the search's index to other users.

    Says which files were open. The folder comes open from every clone, so it is not worth a line.
    """
    close_folder(instance)
    search = file_beside(url)
    if search is None:
        return
    database = Path(make_url(url).database or "")
    paths = [Path(f"{path}{end}") for path in (database, search) for end in ("", "-wal", "-shm")]
    opened = [path for path in paths if path.exists() and _is_open(path)]
    if not opened:
        return
    names = ", ".join(path.name for path in opened)
    try:
        for path in opened:
            path.chmod(0o600)
    except OSError:
        # A read-only disk, or a file of another user: neither keeps the server from serving.
        logger.warning("%s can be read by other users of this machine: run chmod 600 on it", names)
    else:
        logger.warning("%s could be read by other users of this machine: closed now", names)


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
