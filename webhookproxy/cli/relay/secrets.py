"""`flask webhook rotate-secret`: a new signing secret beside the old one."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from webhookproxy.cli.relay.webhooks import change_webhooks
from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import WEBHOOK, with_stdin
from webhookproxy.events.contract import whsec
from webhookproxy.models.audit import CLI, Action, record_webhook
from webhookproxy.models.signing_secrets import ROTATION_HOURS, end_rotation, rotate_secret
from webhookproxy.models.webhooks import find_webhook


@click.command("rotate-secret", cls=Command)
@click.argument("webhook", type=WEBHOOK)
@click.option("--secret", help="Use this secret; - reads it from standard input.")
@click.option("--finish", is_flag=True, help="The receiver has the new one: drop the old one now.")
@with_appcontext
def rotate_secret_command(webhook: int, secret: str | None, finish: bool) -> None:
    """Replace the signing secret and print the new one; the old one signs too for 24 hours."""
    if finish:
        if secret is not None:
            raise BadInput("--finish and --secret contradict each other: give one of them.")
        ended = change_webhooks((webhook,), Action.SECRET_ROTATED, end_rotation, "finished")
        state = "now signs" if ended[webhook] else "signed already"
        click.echo(f"webhook_{webhook} {state} with one secret.")
        return
    given = with_stdin({"--secret": secret})["--secret"]

    def job(session: Session) -> str:
        found = find_webhook(session, webhook)
        made = rotate_secret(session, found, given)
        record_webhook(session, CLI, Action.SECRET_ROTATED, found.company_id, webhook)
        return made

    made = write(job)
    # The user knows a given secret, and others may see the screen.
    if given is None:
        click.echo(made)
        note(f"For a Standard Webhooks library: {whsec(made)}")
    note(
        f"Both secrets sign for {ROTATION_HOURS} hours. Give the receiver the new one, then run "
        f"`flask webhook rotate-secret webhook_{webhook} --finish`."
    )
