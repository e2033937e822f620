"""`flask keys`: the data keys, which encrypt what is stored."""

from __future__ import annotations

import click
from flask import current_app

from webhookproxy.cli.shared.complaints import Group
from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.output import note
from webhookproxy.maintenance.rotation import rotate_keys
from webhookproxy.models.audit import CLI, Action, record

group = Group("keys", help="The data keys, which encrypt tokens and secrets in the database.")


@group.command("rotate")
def rotate() -> None:
    """Encrypt everything with the newest key, so that the older ones may go.

    Put the new key first in DATA_KEYS, restart every server, run this, then remove the old key.
    It may be stopped and run again.
    """
    rotated = rotate_keys(current_app.extensions["store"])
    write(lambda session: record(session, CLI, Action.KEYS_ROTATED, detail=f"{rotated.done}"))
    click.echo(
        f"{rotated.done} secrets are encrypted with the newest key now, {rotated.already} were so "
        "already."
    )
    if rotated.closed:
        raise click.ClickException(
            f"None of the DATA_KEYS opens {rotated.closed} stored secrets, which were left as they "
            "are: put the key they were written with back, or enter them again."
        )
    if len(current_app.config["DATA_KEYS"]) > 1:
        note(
            "The older keys may be removed from DATA_KEYS now, if every server was restarted with "
            "the newest one before this."
        )
