"""`flask db`: the commands of Flask-Migrate."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_migrate.cli import db as theirs

from webhookproxy.database.migrate import migrations


@with_appcontext
def _prepare(**options: object) -> None:
    migrations(current_app)
    theirs.callback(**options)


group = click.Group(
    "db", theirs.commands, callback=_prepare, params=theirs.params, help=theirs.help
)
