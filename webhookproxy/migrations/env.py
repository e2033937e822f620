"""Runs the migrations with the store's own engine: the one of the pages refuses to write."""

from __future__ import annotations

import sys
from typing import NoReturn

from alembic import context
from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from webhookproxy.database.connections import lift_limits
from webhookproxy.database.migrating import with_lock_attempts
from webhookproxy.database.schema import NEWEST, revision_of
from webhookproxy.database.store import Store
from webhookproxy.models import schema

# bin/serve tries again after this code (EX_TEMPFAIL).
NOT_NOW = 75


def run() -> None:
    """Bring the schema to the newest version, one transaction for each migration."""
    store: Store = current_app.extensions["store"]
    # A copy of a database is brought to a revision through an engine of its own.
    engine: Engine = context.config.attributes.get("engine") or store.engine
    try:
        connection = engine.connect()
    except OperationalError:
        _end(engine)
    with connection:
        lift_limits(connection)
        found = revision_of(connection) or ""
        connection.commit()
        if found > NEWEST:
            # Alembic does not know it, and would fail: then this version could not be gone back to.
            sys.stderr.write("A newer version has changed the tables: they suit this one too.\n")
            return
        context.configure(
            connection=connection,
            target_metadata=schema(),
            render_as_batch=True,
            compare_type=True,
            # What one of them builds outside a transaction must not find another half done.
            transaction_per_migration=True,
        )
        with_lock_attempts(connection, _migrate)
        connection.commit()
        if engine.dialect.name == "postgresql":
            # The traffic's next transaction must not get it without limits.
            connection.invalidate()


def _migrate() -> None:
    with context.begin_transaction():
        context.run_migrations()


def _end(engine: Engine) -> NoReturn:
    # The error's own text would name the database's address.
    sentence = (
        "The database cannot be opened: check DATABASE_URL, that its server runs, or that "
        "this user may write the folder of its file."
    )
    if engine.dialect.name != "postgresql":
        sys.exit(sentence)
    sys.stderr.write(f"{sentence}\n")
    sys.exit(NOT_NOW)


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: leave --sql out.")
run()
