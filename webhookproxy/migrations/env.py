"""Runs the migrations with the store's own engine: the one of the pages refuses to write."""

from __future__ import annotations

import sys

from alembic import context
from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

import webhookproxy.models  # noqa: F401 - fills the metadata
from webhookproxy.database.store import Store
from webhookproxy.extensions import Base


def run() -> None:
    """Bring the schema to the newest version, in one transaction."""
    store: Store = current_app.extensions["store"]
    # A copy of a database is brought to a revision through an engine of its own.
    engine: Engine = context.config.attributes.get("engine") or store.engine
    try:
        connection = engine.connect()
    except OperationalError:
        # The error's own text would name the database's address.
        sys.exit(
            "The database cannot be opened: check DATABASE_URL, that its server runs, or that "
            "this user may write the folder of its file."
        )
    with connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: leave --sql out.")
run()
