"""`flask webhook rotate-secret`: a new signing secret, while the old one goes on signing."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.complaints import BadInput, Command
from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import WEBHOOK, with_stdin
from webhookproxy.events.contract import whsec
from webhookproxy.models.audit import CLI, Action, record_webhook
from webhookproxy.models.webhooks import (
    ROTATION_HOURS,
    end_rotation,
    find_webhook,
    rotate_secret,
)


@click.command("rotate-secret", cls=Command)
@click.argument("webhook", type=WEBHOOK)
@click.option("--secret", help="This one instead of a new one; - reads it from standard input.")
@click.option("--finish", is_flag=True, help="The receiver has the new one: drop the old one now.")
@with_appcontext
def rotate_secret_command(webhook: int, secret: str | None, finish: bool) -> None:
    """Replace the signing secret; the old one signs too for 24 hours. Prints the new one."""
    if finish:
        if secret is not None:
            raise BadInput("--finish and --secret contradict each other: give one of them.")
        _finish(webhook)
        return
    given = with_stdin({"--secret": secret})["--secret"]

    def job(session: Session) -> str:
        found = find_webhook(session, webhook)
        made = rotate_secret(session, found, given)
        record_webhook(session, CLI, Action.SECRET_ROTATED, found.company_id, webhook)
        return made

    made = write(job)
    # What somebody gave is not shown to whoever looks over a shoulder.
    if given is None:
        click.echo(made)
        note(f"For a Standard Webhooks library: {whsec(made)}")
    note(
        f"Both secrets sign for {ROTATION_HOURS} hours. Give the receiver the new one, then run "
        f"`flask webhook rotate-secret webhook_{webhook} --finish`."
    )


def _finish(webhook: int) -> None:
    def job(session: Session) -> bool:
        found = find_webhook(session, webhook)
        ended = end_rotation(session, found)
        if ended:
            record_webhook(
                session, CLI, Action.SECRET_ROTATED, found.company_id, webhook, "finished"
            )
        return ended

    ended = write(job)
    click.echo(f"webhook_{webhook} {'now signs' if ended else 'signed already'} with one secret.")
