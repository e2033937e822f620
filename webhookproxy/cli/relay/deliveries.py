"""`flask delivery`: what is to happen with one event due to one webhook."""

from __future__ import annotations

import time

import click

from webhookproxy.cli.shared.complaints import BadInput, Group
from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import DELIVERY, RESEND, WEBHOOK, Number
from webhookproxy.engine.liveness import read_owner
from webhookproxy.extensions import db
from webhookproxy.models.audit import CLI
from webhookproxy.models.deliveries.actions import Resent, Tried, resend, try_now
from webhookproxy.models.deliveries.bulk_resends import begin, cancel
from webhookproxy.models.deliveries.missed import Wanted, count
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.reasons import MISSED, DeliveryState

group = Group("delivery", help="What is to happen with one event due to one webhook.")


@group.command("resend")
@click.argument("delivery", type=DELIVERY)
def resend_delivery(delivery: int) -> None:
    """Send once more what ended, with the same event_id and the same bytes."""
    done = write(lambda session: resend(session, find_delivery(session, delivery)))
    queued = done is Resent.QUEUED
    click.echo(f"delivery_{delivery} {'is queued again' if queued else 'was waiting already'}.")
    _say_whether_it_goes_out()


@group.command("resend-missed")
@click.argument("webhook", type=WEBHOOK)
@click.option("--hours", type=Number(float, 0.01, 24 * 366), help="Only of the last so many hours.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--cancelled", is_flag=True, help="Also what somebody cancelled.")
@click.option("--yes", is_flag=True, help="Really resend it; without, it is only counted.")
def resend_missed(
    webhook: int, hours: float | None, event: str, cancelled: bool, yes: bool
) -> None:
    """Send once more what a webhook refused or was too late for, behind what is new."""
    since_ms = None if hours is None else round((time.time() - hours * 3600) * 1000)
    states = MISSED if cancelled else (DeliveryState.REFUSED, DeliveryState.EXPIRED)
    wanted = Wanted(webhook, states, event, since_ms)
    find_webhook(db.session(), webhook)
    counted = count(db.session(), wanted)
    much = f"{'more than ' if counted.is_cut else ''}{counted.count}"
    if not yes:
        raise BadInput(
            f"This would send {much} deliveries to webhook_{webhook} once more: repeat the command "
            "with --yes if that is meant."
        )
    made = write(lambda session: begin(session, wanted, counted, CLI))
    click.echo(f"resend_{made} of {much} deliveries to webhook_{webhook} is begun.")
    _say_whether_it_goes_out()


@group.command("stop-resend")
@click.argument("resend", type=RESEND)
def stop_resend(resend: int) -> None:
    """Queue no more of what `resend-missed`, or somebody on a page, began."""
    done = write(lambda session: cancel(session, resend, CLI))
    click.echo(f"resend_{resend} {'is cancelled' if done else 'was not running'}.")


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
