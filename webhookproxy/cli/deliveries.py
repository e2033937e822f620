"""`flask delivery`: what is to happen with one event due to one webhook."""

from __future__ import annotations

import click

from webhookproxy.cli.complaints import BadInput, Group
from webhookproxy.cli.context import write
from webhookproxy.cli.output import note
from webhookproxy.cli.values import DELIVERY
from webhookproxy.extensions import db
from webhookproxy.models.acts import Resent, Tried, resend, try_now
from webhookproxy.models.deliveries import find_delivery
from webhookproxy.standing import read_owner

group = Group("delivery", help="What is to happen with one event due to one webhook.")


@group.command("resend")
@click.argument("delivery", type=DELIVERY)
def resend_delivery(delivery: int) -> None:
    """Send once more what ended, with the same event_id and the same bytes."""
    done = write(lambda session: resend(session, find_delivery(session, delivery)))
    queued = done is Resent.QUEUED
    click.echo(f"delivery_{delivery} {'is queued again' if queued else 'was waiting already'}.")
    _say_whether_it_goes_out()


@group.command("retry")
@click.argument("delivery", type=DELIVERY)
def retry_delivery(delivery: int) -> None:
    """Try now what waits, or the one before it that must come first."""
    done = write(lambda session: try_now(session, find_delivery(session, delivery)))
    if done.outcome is Tried.ALREADY_ENDED:
        raise BadInput(
            f"delivery_{delivery} does not wait: `flask delivery resend delivery_{delivery}` sends "
            "it once more."
        )
    if done.outcome is Tried.EARLIER:
        click.echo(
            f"delivery_{done.delivery_id} is to be tried now: it comes before delivery_{delivery}."
        )
    else:
        click.echo(f"delivery_{delivery} is to be tried now.")
    _say_whether_it_goes_out()


def _say_whether_it_goes_out() -> None:
    if not read_owner(db.session()).alive:
        note("No server is running now: it is sent when one does.")
