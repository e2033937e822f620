"""`flask webhook send-stored`: sends a webhook what arrived before."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import click
from flask.cli import with_appcontext

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.serving import unserved
from webhookproxy.cli.shared.values import WEBHOOK
from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries.bulk_resends import begin
from webhookproxy.models.deliveries.missed import Wanted
from webhookproxy.models.deliveries.stored import STATES, count_stored
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import find_webhook


@click.command("send-stored", cls=Command)
@click.argument("webhook", type=WEBHOOK)
@click.option("--since", required=True, help="Like 2026-11-25T09:30, by the company's clock.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--yes", is_flag=True, help="Really send; without it, they are only counted.")
@with_appcontext
def send_stored(webhook: int, since: str, event: str, yes: bool) -> None:
    """Send a webhook the events since a time that it asks for and was not sent."""
    session = db.session()
    found = find_webhook(session, webhook)
    timezone = find_company(session, found.company_id).timezone
    wanted = Wanted(webhook, STATES, event, _moment(since, timezone), stored=True)
    counted = count_stored(session, found, wanted)
    much = f"{'more than ' if counted.is_cut else ''}{counted.count}"
    if not yes:
        raise BadInput(
            f"This would send {much} events to webhook_{webhook}: repeat the command with --yes "
            "to do it."
        )
    made = write(lambda writing: begin(writing, wanted, counted, CLI))
    click.echo(f"resend_{made} of {much} events to webhook_{webhook} is begun.")
    if (whom := unserved(session, [found.company_id])) is not None:
        note(f"No server is running now{whom}: it is sent when one runs.")


def _moment(typed: str, timezone: str) -> int:
    """Return a time in milliseconds. Raises BadInput for a text that is no time in the past."""
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise BadInput(
            f"--since {typed[:40]!r} is not a time: write it like 2026-11-25T09:30."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
    if moment > utc_now():
        raise BadInput("--since is in the future: give a time that has passed.")
    return to_ms(moment)
