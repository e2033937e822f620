"""Runs the migrations with the store's own engine: the one of the pages refuses to write."""

from __future__ import annotations

from alembic import context
from flask import current_app

import webhookproxy.models  # noqa: F401 - fills the metadata
from webhookproxy.extensions import Base
from webhookproxy.store import Store


def run() -> None:
    """Bring the schema to the newest version, in one transaction."""
    store: Store = current_app.extensions["store"]
    with store.engine.connect() as connection:
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
