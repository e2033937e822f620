"""`flask backup` and `flask restore`: copies of all data except the keys."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import Number
from webhookproxy.database.clock import utc_now
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.extensions import db
from webhookproxy.maintenance.backup import BackupError, make_backup, restore_backup
from webhookproxy.maintenance.backup_folder import make_kept_backup
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.types import keyring

_EXISTING = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command("backup", cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=Number(int, 1, 1000),
    metavar="N",
    help="PATH is a folder: write a new file there, and remove all but the newest N of them.",
)
@with_appcontext
def backup(path: Path, keep: int | None) -> None:
    """Copy everything to a new file, also while a server runs."""
    try:
        if keep is None:
            waiting = make_backup(db.engine, path)
        else:
            path, waiting = make_kept_backup(db.engine, path, keep, utc_now())
    except BackupError as error:
        raise BadInput(str(error)) from None
    _record(path)
    click.echo(f"{path} holds everything as it was, with {waiting} waiting deliveries.")
    note(
        "It does not hold the data keys: keep DATA_KEYS, or instance/data_keys, in another place. "
        "Without them its tokens and secrets cannot be read."
    )


def _record(path: Path) -> None:
    """Record that a backup was made: /saude tells its age. Without it the backup is as good."""
    try:
        write(lambda session: record(session, CLI, Action.BACKUP_MADE, detail=path.name))
    except (StoreUnavailable, SQLAlchemyError) as error:
        note(f"/saude will not know of this backup ({type(error).__name__}).")


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
    note(
        "What was revoked or removed after it is back: guests, API tokens, links to recordings, "
        "users, personal data. Revoke and remove it again before others reach the server."
    )
