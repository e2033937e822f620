"""The check, before anything starts, that the data keys belong to this database."""

from __future__ import annotations

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.config.keys import ConfigError, KeyringError
from webhookproxy.extensions import db
from webhookproxy.models.installation.keycheck import stored_check
from webhookproxy.models.types import keyring


def check_keys(app: Flask) -> None:
    """Raise ConfigError if none of the DATA_KEYS opens this database's secrets.

    A database that does not answer, or has no tables yet, stops nothing here: the server waits for
    it, and `flask db upgrade` makes the tables.
    """
    try:
        with app.app_context(), db.engine.connect() as connection:
            stored = stored_check(connection)
            # None stays open: gunicorn may load the application before it forks.
            connection.invalidate()
    except SQLAlchemyError:
        return
    if stored is None:
        return
    try:
        keyring().decrypt(stored)
    except KeyringError:
        raise ConfigError(
            "None of the DATA_KEYS opens the secrets in this database: put the key they were "
            "written with back at the end of DATA_KEYS (or of instance/data_keys)."
        ) from None
