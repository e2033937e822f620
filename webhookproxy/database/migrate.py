"""Flask-Migrate, imported only by what migrates: Alembic takes a part of a second."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate

from webhookproxy.extensions import db

_NAME = "migrate"


def migrations(app: Flask) -> Migrate:
    """Return the app's Flask-Migrate, which the first call prepares."""
    if _NAME not in app.extensions:
        # It also names itself in `app.extensions`, where its functions look for it.
        Migrate(app, db, directory="webhookproxy/migrations", render_as_batch=True)
    found: Migrate = app.extensions[_NAME].migrate
    return found
