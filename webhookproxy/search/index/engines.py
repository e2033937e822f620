"""Connections to the index: a file beside SQLite's, or tables in the same PostgreSQL database."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from webhookproxy.database.connections import lock_at_begin, one_connection, set_pragmas

# Milliseconds: a page does without the index rather than wait for it.
_READER_PRAGMAS = ("busy_timeout = 250", "query_only = ON")


def file_beside(url: str) -> Path | None:
    """Return the index's file for a SQLite file; None for memory and for PostgreSQL."""
    parsed = make_url(url)
    name = parsed.database or ""
    if parsed.get_backend_name() != "sqlite" or name in ("", ":memory:"):
        return None
    name, _, query = name.removeprefix("file:").partition("?")
    if "mode=memory" in query or name == ":memory:":
        return None
    path = Path(name)
    return path.with_name(f"{path.stem}-search.sqlite")


def marker_of(path: Path) -> Path:
    """Return the file that marks the index for rebuilding, however damaged the index is."""
    return path.with_name(f"{path.name}.void")


def remove_file(path: Path) -> None:
    """Remove the file, and its marker last."""
    for name in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + name).unlink()
    with suppress(FileNotFoundError):
        marker_of(path).unlink()


def file_writer(path: Path) -> Engine:
    """Return an engine with one connection, whose transactions begin with the write lock."""
    engine = one_connection(f"sqlite:///{path}")
    lock_at_begin(
        engine,
        "journal_mode = WAL",
        # A power cut may lose the last transactions; they are repeated from the events.
        "synchronous = NORMAL",
        # Some builds switch it on; only masking is worth its price.
        "secure_delete = OFF",
        "wal_autocheckpoint = 4000",
        "journal_size_limit = 67108864",
        "cache_size = -16000",
    )
    return engine


def file_reader(path: Path) -> Engine:
    """Return an engine that only reads; it opens the file every time, which may be replaced."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)
    set_pragmas(engine, *_READER_PRAGMAS)
    return engine


def one_reader(url: str) -> Engine:
    """Return an engine with one connection to the events, for the thread that writes the index."""
    engine = one_connection(url)
    set_pragmas(engine, *_READER_PRAGMAS)
    return engine
