"""How pages and commands read: connections that refuse to write."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import Engine, event

from webhookproxy.extensions import db


def init_app(app: Flask) -> None:
    """Make the engine of `db` a reading one."""
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite_reader)


def _prepare_sqlite_reader(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # A reader waits only while the last writer that was killed is being recovered from.
    cursor.execute("PRAGMA busy_timeout = 1000")
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def is_migrated(engine: Engine) -> bool:
    """Whether the tables are there."""
    with engine.connect() as connection:
        return bool(engine.dialect.has_table(connection, "leases"))
