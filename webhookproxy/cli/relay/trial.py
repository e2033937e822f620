"""`flask webhook test`: sends one POST like a delivery's, and stores nothing."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from webhookproxy.cli.shared.context import policy
from webhookproxy.cli.shared.errors import Command
from webhookproxy.cli.shared.values import WEBHOOK
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.sending.trial import DEFAULT_EVENT, run_trial
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.reasons import DELIVERY_WORDS


@click.command("test", cls=Command)
@click.argument("webhook", type=WEBHOOK)
@click.option("--event", help=f"Default: its first event, or {DEFAULT_EVENT}.")
@with_appcontext
def test(webhook: int, event: str | None) -> None:
    """Send one made-up event now; exit code 1 if it was not accepted."""
    session = db.session()
    result = run_trial(session, find_webhook(session, webhook), event, policy())
    if result.accepted:
        click.echo(f"{result.outcome.status} in {result.outcome.duration_ms} ms")
        return
    click.echo(_sentence(result.outcome))
    click.get_current_context().exit(1)


def _sentence(outcome: Outcome) -> str:
    english = DELIVERY_WORDS[outcome.reason].english
    if outcome.status is not None:
        sentence = f"{english.removesuffix('.')} ({outcome.status} in {outcome.duration_ms} ms)."
        return sentence if outcome.detail is None else f"{sentence} It leads to {outcome.detail}."
    return english if outcome.detail in (None, english) else f"{english} {outcome.detail}"
