"""Copies of the whole database: made beside a running server, restored without one.

A backup is always a SQLite file, so that it can be restored into either kind of database.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import NullPool

from webhookproxy.config.keys import Keyring, sync
from webhookproxy.database.connections import lift_limits
from webhookproxy.database.ownership.locks import Lock
from webhookproxy.database.schema import revision_of
from webhookproxy.database.store import writing_engine
from webhookproxy.maintenance.transfer import bring_to, copy_rows, is_known

RESTORED = "restored from a backup"
_MAGIC = b"SQLite format 3\x00"
_WAITING = text(
    "SELECT COALESCE(SUM(created - delivered - refused - expired - cancelled - simulated), 0)"
    " FROM webhook_health"
)


class BackupError(Exception):
    """No backup was made or restored, and nothing was changed; the text is a sentence."""


def make_backup(reading: Engine, path: Path) -> int:
    """Write the database of this moment to a new file; return the number of waiting deliveries.

    A running server does not wait for it. Raises BackupError, and leaves no file, if the file
    exists or cannot be written.
    """
    if path.exists():
        raise BackupError(f"{path} exists already: name a file that does not.")
    with _draft(path) as draft:
        with reading.connect() as connection:
            revision = revision_of(connection)
        if revision is None:
            raise BackupError("The database has no tables yet: there is nothing to back up.")
        if reading.dialect.name == "sqlite":
            _copy_file(Path(str(reading.url.database)), draft)
        else:
            _copy_out(reading, draft, revision)
        waiting = _close_up(draft)
        sync(draft)
        draft.replace(path)
        sync(path.parent)
    return waiting


def restore_backup(path: Path, url: str, lock: Lock, keyring: Keyring, *, replace: bool) -> int:
    """Replace the database's contents by a backup; return the number of waiting deliveries.

    An older backup is migrated on a copy. Raises BackupError, and changes nothing, if the file is
    not a complete backup of ours, if its secrets cannot be opened, if a server owns the sockets, or
    if the database has data and `replace` is false.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise BackupError(f"{path} is no backup of ours: name a file that flask backup wrote.")
    try:
        free = lock.take()
    except OSError as error:
        raise BackupError(f"{error.filename}: {error.strerror}.") from None
    if not free:
        raise BackupError("A server is running on this database: stop it first.")
    try:
        with _target(url) as target:
            fence = _fence_of(target, replace=replace)
            with _draft(_place(target, path)) as draft:
                shutil.copyfile(path, draft)
                waiting = _prepare(draft, path, keyring, fence)
                _load(draft, target)
        return waiting
    finally:
        lock.free()


def _place(target: Engine, path: Path) -> Path:
    """Return a path for the working copy, on a disk that needs the space anyway."""
    if target.dialect.name == "sqlite":
        return Path(str(target.url.database))
    return Path(tempfile.gettempdir()) / path.name


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Yield a new file beside `path`, for this user only; remove it unless it was renamed."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.draft")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror}.") from None
    except sqlite3.Error as error:
        raise BackupError(f"The copy could not be written ({type(error).__name__}).") from None
    finally:
        for name in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                draft.with_name(draft.name + name).unlink()


def _copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite file in one read transaction, for which no writer waits."""
    with (
        closing(sqlite3.connect(source)) as read,
        closing(sqlite3.connect(target)) as write,
    ):
        read.backup(write)


def _copy_out(reading: Engine, draft: Path, revision: str) -> None:
    """Copy PostgreSQL's rows in one snapshot."""
    with _target(f"sqlite:///{draft}") as target:
        bring_to(target, revision)
        snapshot = reading.connect().execution_options(isolation_level="REPEATABLE READ")
        with snapshot as source, target.begin() as into:
            copy_rows(source, into)


def _close_up(draft: Path) -> int:
    """Make the copy a single undamaged file; return the number of waiting deliveries."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
        # A reader of a file in WAL mode must be able to write files beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise BackupError("The database is damaged: see PRAGMA integrity_check.")
        return int(copy.execute(str(_WAITING)).fetchone()[0])


def _prepare(draft: Path, path: Path, keyring: Keyring, fence: int) -> int:
    """Migrate a copy of a backup for this version; return the number of waiting deliveries."""
    refusal = BackupError(f"{path} is not a complete backup: name a file that flask backup wrote.")
    try:
        with _target(f"sqlite:///{draft}") as engine:
            with engine.connect() as connection:
                if connection.exec_driver_sql("PRAGMA quick_check").scalar() != "ok":
                    raise refusal
                revision = revision_of(connection)
            if revision is None:
                raise refusal
            if not is_known(revision):
                raise BackupError(f"{path} was made by a newer version: update this one first.")
            bring_to(engine, "head")
            with engine.begin() as connection:
                _check_keys(connection, keyring)
                # The old owner of the sockets does not own the restored database.
                values = {"fence": fence, "holder": RESTORED}
                query = "UPDATE leases SET fence = MAX(fence, :fence) + 1, holder = :holder"
                connection.execute(text(query), values)
                return int(connection.execute(_WAITING).scalar_one())
    except DatabaseError:
        raise refusal from None


def _check_keys(connection: Connection, keyring: Keyring) -> None:
    """Raise KeyringError if any secret would be unreadable."""
    query = "SELECT token FROM companies UNION ALL SELECT secret FROM webhooks"
    for (stored,) in connection.execute(text(f"{query} WHERE secret IS NOT NULL")):
        keyring.decrypt(stored)


def _fence_of(target: Engine, *, replace: bool) -> int:
    """Return the fence of a database that may be overwritten; raise BackupError if it may not."""
    database = target.url.database
    if target.dialect.name == "sqlite" and not (database and Path(database).exists()):
        # Opening it would create it, and the restore may still be refused.
        return 0
    with target.connect() as connection:
        if not inspect(connection).has_table("leases"):
            return 0
        if not replace:
            for table in ("companies", "users", "events"):
                if connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first():
                    raise BackupError(
                        "The database has data, which would be replaced: repeat the command with "
                        "--yes to do it."
                    )
        return int(connection.execute(text("SELECT MAX(fence) FROM leases")).scalar() or 0)


def _load(draft: Path, target: Engine) -> None:
    """Replace everything in one transaction: readers see the old data or the new."""
    if target.dialect.name == "sqlite":
        _copy_file(draft, Path(str(target.url.database)))
        return
    bring_to(target, "head")
    source = create_engine(f"sqlite:///{draft}", poolclass=NullPool)
    try:
        with source.connect() as read, target.begin() as into:
            lift_limits(into)
            copy_rows(read, into)
    except DBAPIError as error:
        raise BackupError(
            f"PostgreSQL did not take the copy ({type(error.orig).__name__}), so nothing was "
            "changed: make sure that nothing else uses the database, and try again."
        ) from None
    finally:
        source.dispose()


@contextmanager
def _target(url: str) -> Iterator[Engine]:
    engine = writing_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
