"""`flask delivery`: resends, retries and stops deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write, write_each
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.serving import unserved
from webhookproxy.cli.shared.values import DELIVERY, RESEND, WEBHOOK, Number, one_or_more
from webhookproxy.database.clock import seconds_now
from webhookproxy.extensions import db
from webhookproxy.models import Delivery, Webhook
from webhookproxy.models.audit import CLI
from webhookproxy.models.deliveries.actions import Resent, Tried, TriedNow, resend, try_now
from webhookproxy.models.deliveries.bulk_resends import begin, cancel
from webhookproxy.models.deliveries.missed import Wanted, count
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.reasons import MISSED, DeliveryState

group = Group("delivery", help="Deliveries, each of one event to one webhook: resend, retry.")


@group.command("resend")
@one_or_more("deliveries", DELIVERY)
@click.option("--new-format", is_flag=True, help="In the webhook's format of now, not as sent.")
def resend_delivery(deliveries: Sequence[int], new_format: bool) -> None:
    """Send finished deliveries again, with the same event_id and the same bytes."""

    def job(session: Session, delivery: int) -> Resent:
        return resend(session, find_delivery(session, delivery), in_newest_format=new_format)

    for delivery, resent in write_each(deliveries, job).items():
        queued = resent is Resent.QUEUED
        click.echo(f"delivery_{delivery} {'is queued again' if queued else 'was waiting already'}.")
    _say_whether_it_goes_out(_companies_of(deliveries))


@group.command("resend-missed")
@click.argument("webhook", type=WEBHOOK)
@click.option("--hours", type=Number(float, 0.01, 24 * 366), help="Only of the last HOURS.")
@click.option("--event", default="", help="Only events of this name.")
@click.option("--cancelled", is_flag=True, help="Also cancelled ones.")
@click.option("--yes", is_flag=True, help="Really resend; without it, they are only counted.")
def resend_missed(
    webhook: int, hours: float | None, event: str, cancelled: bool, yes: bool
) -> None:
    """Send again what a webhook refused or what expired, after newer events."""
    since_ms = None if hours is None else round((seconds_now() - hours * 3600) * 1000)
    states = MISSED if cancelled else (DeliveryState.REFUSED, DeliveryState.EXPIRED)
    wanted = Wanted(webhook, states, event, since_ms)
    company = find_webhook(db.session(), webhook).company_id
    counted = count(db.session(), wanted)
    much = f"{'more than ' if counted.is_cut else ''}{counted.count}"
    if not yes:
        raise BadInput(
            f"This would send {much} deliveries to webhook_{webhook} again: repeat the command "
            "with --yes to do it."
        )
    made = write(lambda session: begin(session, wanted, counted, CLI))
    click.echo(f"resend_{made} of {much} deliveries to webhook_{webhook} is begun.")
    _say_whether_it_goes_out([company])


@group.command("stop-resend")
@click.argument("resend", type=RESEND)
def stop_resend(resend: int) -> None:
    """End a bulk resend, begun here or on a page; what it queued is withdrawn."""
    done = write(lambda session: cancel(session, resend, CLI))
    click.echo(f"resend_{resend} {'is cancelled' if done else 'was not running'}.")


@group.command("retry")
@one_or_more("deliveries", DELIVERY)
def retry_delivery(deliveries: Sequence[int]) -> None:
    """Try waiting deliveries now, or the earlier ones that must come first.

    Those that have ended meanwhile do not stop the others; the exit code is 2 then.
    """

    def job(session: Session, delivery: int) -> TriedNow:
        return try_now(session, find_delivery(session, delivery))

    done = write_each(deliveries, job)
    ended = []
    for each, tried in done.items():
        if tried.outcome is Tried.ALREADY_ENDED:
            ended.append(f"delivery_{each}")
            continue
        earlier = tried.outcome is Tried.EARLIER
        why = f": it comes before delivery_{each}" if earlier else ""
        click.echo(f"delivery_{tried.delivery_id} is tried now{why}.")
    if len(ended) < len(done):
        _say_whether_it_goes_out(_companies_of(done))
    if ended:
        names = " ".join(ended)
        raise BadInput(
            f"What has ended does not wait: `flask delivery resend {names}` sends it again."
        )


def _companies_of(deliveries: Collection[int]) -> list[int]:
    of_webhook = select(Webhook.company_id).join(Delivery, Delivery.webhook_id == Webhook.id)
    return list(db.session.scalars(of_webhook.where(Delivery.id.in_(deliveries)).distinct()))


def _say_whether_it_goes_out(companies: Iterable[int]) -> None:
    if (whom := unserved(db.session(), companies)) is not None:
        note(f"No server is running now{whom}: it is sent when one runs.")
