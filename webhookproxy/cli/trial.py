"""`flask webhook test`: one POST as a delivery would be, of which nothing is stored."""

from __future__ import annotations

import time

import click
from flask.cli import with_appcontext

from webhookproxy import contract, payload
from webhookproxy.catalog import CATALOG, is_event_name
from webhookproxy.cli.complaints import BadInput, Command
from webhookproxy.cli.context import policy
from webhookproxy.cli.values import WEBHOOK
from webhookproxy.delivery.retry import Kind
from webhookproxy.delivery.sender import Outcome, Sender
from webhookproxy.dial import Resolver
from webhookproxy.extensions import db
from webhookproxy.models import Company, Webhook
from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries import Due, Facts
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.reasons import DELIVERY_WORDS

DEFAULT_EVENT = "call-was-connected"


@click.command("test", cls=Command)
@click.argument("webhook", type=WEBHOOK)
@click.option("--event", help=f"Its first event is sent, or {DEFAULT_EVENT}, unless given.")
@with_appcontext
def test(webhook: int, event: str | None) -> None:
    """Send one made-up event now; exit code 1 if it was not accepted."""
    session = db.session()
    found = find_webhook(session, webhook)
    company = find_company(session, found.company_id)
    name = event if event is not None else (found.events or [DEFAULT_EVENT])[0]
    if not is_event_name(name):
        raise BadInput("--event is not an event name: up to 200 characters, no spaces.")
    due = _due(found, company, name, round(time.time() * 1000))
    # The database is not kept waiting for the receiver.
    session.expunge_all()
    session.rollback()
    sender = Sender(found, policy(), Resolver(), time.time)
    try:
        outcome = sender.send(due)
    finally:
        sender.close()
    click.echo(_sentence(outcome))
    if outcome.kind is not Kind.SUCCESS:
        click.get_current_context().exit(1)


def _due(webhook: Webhook, company: Company, name: str, now_ms: int) -> Due:
    """The delivery that the catalogue's sample of this event would become; {} without one."""
    sample = CATALOG[name].sample if name in CATALOG else {}
    event = payload.read(payload.text_of_args(name, [sample]), company.hide_credentials)
    facts = Facts(
        public_id=contract.new_event_id(now_ms),
        company_id=company.id,
        name=event.name,
        payload=event.payload,
        socket_id=company.connection.socket_id or "",
        token_mask=contract.token_mask(company.token),
        received_ms=now_ms,
    )
    return Due(
        id=0,
        webhook_id=webhook.id,
        order_key=event.order_key,
        tries=0,
        attempts=0,
        born_ms=now_ms,
        first_attempt_ms=None,
        due_ms=None,
        facts=facts,
    )


def _sentence(outcome: Outcome) -> str:
    if outcome.kind is Kind.SUCCESS:
        return f"{outcome.status} in {outcome.duration_ms} ms"
    english = DELIVERY_WORDS[outcome.reason].english
    if outcome.status is not None:
        sentence = f"{english.removesuffix('.')} ({outcome.status} in {outcome.duration_ms} ms)."
        return sentence if outcome.detail is None else f"{sentence} It leads to {outcome.detail}."
    return english if outcome.detail in (None, english) else f"{english} {outcome.detail}"
