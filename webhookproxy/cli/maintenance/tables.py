"""`flask db`: the commands of Flask-Migrate."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate.cli import db as flask_migrate_group

from webhookproxy.database.migrate import migrations


@click.group("db", commands=flask_migrate_group.commands)
@with_appcontext
def group() -> None:
    """Perform database migrations."""
    migrations(current_app)
