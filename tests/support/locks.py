"""Another program that holds the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import make_url

from tests.support.application import wait_until


@contextmanager
def held(url: str) -> Iterator[None]:
    """Lock events and deliveries for every other writer."""
    if url.startswith("sqlite"):
        with _held_sqlite(url.removeprefix("sqlite:///")):
            yield
        return
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute("LOCK TABLE events, deliveries IN SHARE ROW EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def _held_sqlite(path: str) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        wait_until(lambda: _begun(other), 20, "the write lock is free for a moment")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def _begun(other: sqlite3.Connection) -> bool:
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True
