"""`flask keys`: the data keys, which encrypt what is stored."""

from __future__ import annotations

import click
from flask import current_app

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import Group
from webhookproxy.cli.shared.output import note
from webhookproxy.maintenance.rotation import rotate_keys
from webhookproxy.models.audit import CLI, Action, record

group = Group("keys", help="The data keys, which encrypt tokens and secrets in the database.")


@group.command("rotate")
def rotate() -> None:
    """Encrypt everything with the newest key, so that older keys can be removed.

    Put the new key first in DATA_KEYS, restart every server, run this, then remove the old key.
    You may stop it and run it again.
    """
    rotated = rotate_keys(current_app.extensions["store"])
    write(lambda session: record(session, CLI, Action.KEYS_ROTATED, detail=f"{rotated.done}"))
    click.echo(
        f"{rotated.done} secrets are encrypted with the newest key now, {rotated.already} were "
        "before."
    )
    if rotated.closed:
        raise click.ClickException(
            f"None of the DATA_KEYS opens {rotated.closed} stored secrets, which stay unchanged: "
            "add the key that encrypted them again, or enter the secrets again."
        )
    if len(current_app.config["DATA_KEYS"]) > 1:
        note(
            "You can remove the older keys from DATA_KEYS now, if every server was restarted with "
            "the newest key before this command."
        )
