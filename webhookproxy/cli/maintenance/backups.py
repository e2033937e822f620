"""`flask backup` and `flask restore`: copies of all data except the keys."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.database.lease import lock_for
from webhookproxy.extensions import db
from webhookproxy.maintenance.backup import BackupError, make_backup, restore_backup
from webhookproxy.models.types import keyring

_FILE = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command("backup", cls=Command)
@click.argument("file", type=_FILE)
@with_appcontext
def backup(file: Path) -> None:
    """Copy everything to a new FILE, also while a server runs."""
    try:
        waiting = make_backup(db.engine, file)
    except BackupError as error:
        raise BadInput(str(error)) from None
    click.echo(f"{file} holds everything as it was, with {waiting} waiting deliveries.")
    note(
        "It does not hold the data keys: keep DATA_KEYS, or instance/data_keys, in another place. "
        "Without them its tokens and secrets cannot be read."
    )


@click.command("restore", cls=Command)
@click.argument("file", type=_EXISTING)
@click.option("--yes", is_flag=True, help="Really replace the present data.")
@with_appcontext
def restore(file: Path, yes: bool) -> None:
    """Replace all data by that of FILE; no server may be running."""
    url = current_app.config["OWN_SESSION_URL"]
    db.engine.dispose()
    current_app.extensions["store"].engine.dispose()
    try:
        waiting = restore_backup(file, url, lock_for(url, silence_ms=0), keyring(), replace=yes)
        # The index belongs to the events before the restore.
        current_app.extensions["search"].void()
    except BackupError as error:
        raise BadInput(str(error)) from None
    click.echo(f"{file} is restored, with {waiting} waiting deliveries: start the server.")
    note("Events delivered after the backup are delivered again, with the same id.")
