"""`flask webhook`: the webhooks that get a company's events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

import click
from sqlalchemy.orm import Session

from webhookproxy.cli.relay.reach import lookup_warning
from webhookproxy.cli.relay.webhook_options import given_fields, given_format, options
from webhookproxy.cli.shared.context import policy, write, write_each
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, note, print_json, print_table
from webhookproxy.cli.shared.values import COMPANY, WEBHOOK, one_or_more
from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.formats.definition import Format
from webhookproxy.extensions import db
from webhookproxy.models.audit import CLI, Action, record_webhook, record_webhook_edit
from webhookproxy.models.companies import find_company
from webhookproxy.models.deliveries.actions import resume_webhook
from webhookproxy.models.webhooks import (
    Webhook,
    create_webhook,
    delete_webhook,
    edit_webhook,
    find_webhook,
    live_webhooks,
    switch_webhook,
)
from webhookproxy.network.guard import check_url, masked_url
from webhookproxy.rules.webhooks import WebhookInput, WebhookState, changed_webhook

group = Group(
    "webhook",
    help="The webhooks that get a company's events.",
    lazy={
        "rotate-secret": "webhookproxy.cli.relay.secrets:rotate_secret_command",
        "send-stored": "webhookproxy.cli.relay.stored:send_stored",
        "test": "webhookproxy.cli.relay.trial:test",
    },
)


@group.command("create")
@click.argument("company", type=COMPANY)
@click.argument("name")
@click.argument("url")
@options
def create(company: int, name: str, url: str, **fields: Any) -> None:
    """Create a webhook, which gets events from now on; prints its id."""
    for option, value in (("auth", fields["auth"]), ("secret", fields["secret"])):
        # A script's unset variable must not create a webhook without signatures.
        if value == "":
            raise BadInput(f"--{option} is empty: give a value, or leave it out.")
    chosen = given_format(Format(), fields.pop("kind"), fields.pop("encoding"))
    webhook = WebhookInput(name=name, url=url, **chosen, **given_fields(**fields))
    allowed, warning = policy(), lookup_warning(url, check_url)

    def job(session: Session) -> int:
        created = create_webhook(session, find_company(session, company).id, webhook, allowed)
        _record(session, Action.WEBHOOK_CREATED, created)
        return created.id

    click.echo(f"webhook_{write(job)}")
    _say_notes(warning, fields["events"])


@group.command("list")
@click.argument("company", type=COMPANY)
@json_option
def list_webhooks(company: int, as_json: bool) -> None:
    """Show the webhooks of a company, without their secrets."""
    session = db.session()
    find_company(session, company)
    rows = [_row(webhook) for webhook in live_webhooks(session, [company])]
    if as_json:
        print_json(rows)
        return
    table = []
    for row in rows:
        events = "all" if row["events"] is None else ", ".join(row["events"])
        filters = ", ".join(f"{name} ({len(asked)})" for name, asked in row["filters"].items())
        table.append([*({**row, "events": events, "filters": filters or "none"}).values()])
    headings = (
        "ID", "NAME", "URL", "EVENTS", "STATE", "AUTH", "SECRET",
        "PARALLELISM", "TIMEOUT S", "RATE/S", "MAX AGE H", "RECOVERED", "FILTERS",
    )  # fmt: skip
    empty = f"company_{company} has no webhooks yet: `flask webhook create` makes one."
    print_table(headings, table, empty)


@group.command("show")
@click.argument("webhook", type=WEBHOOK)
@json_option
def show(webhook: int, as_json: bool) -> None:
    """Show one webhook, without its secrets."""
    found = find_webhook(db.session(), webhook)
    stored = found.input()
    row = {
        **_row(found),
        "format": stored.format.kind.value,
        "encoding": stored.format.encoding.value,
        "headers": [name for name, _ in stored.headers],
        "success_rule": found.success_rule,
    }
    if as_json:
        print_json(row)
        return
    shown = ((name, "none" if value is None else str(value)) for name, value in row.items())
    print_table(("FIELD", "VALUE"), list(shown), "")


@group.command("edit")
@click.argument("webhook", type=WEBHOOK)
@click.option("--name")
@click.option("--url", help="A new host needs --auth, --secret and --header again.")
@click.option("--all-events", is_flag=True, help="Send every event, also future ones.")
@click.option("--no-rate", is_flag=True, help="Send without a rate limit.")
@options
def edit(webhook: int, all_events: bool, no_rate: bool, **fields: Any) -> None:
    """Change the given fields only; "" clears --auth, --secret or every --header.

    The given --header are all that the webhook has from now on; 'Name:' keeps a stored value.
    """
    if all_events and fields["events"]:
        raise BadInput("--all-events and --event contradict each other: give one of them.")
    if no_rate and fields["rate"] is not None:
        raise BadInput("--no-rate and --rate contradict each other: give one of them.")
    kind, encoding = fields.pop("kind"), fields.pop("encoding")
    given = given_fields(**fields)
    given.update({"events": None} if all_events else {})
    given.update({"rate_limit": None} if no_rate else {})
    if not given and kind is None and encoding is None:
        raise BadInput(f"Nothing to change in webhook_{webhook}: give at least one option.")
    allowed, url = policy(), fields["url"]
    warning = None if url is None else lookup_warning(url, check_url)

    def job(session: Session) -> None:
        found = find_webhook(session, webhook)
        before = found.input()
        chosen = given_format(before.format, kind, encoding)
        changed = changed_webhook(before, {**given, **chosen}, allowed, same_path=False)
        edit_webhook(session, found, changed, allowed)
        record_webhook_edit(session, CLI, before, found)

    write(job)
    click.echo(f"webhook_{webhook} is saved.")
    _say_notes(warning, fields["events"])


@group.command("pause")
@one_or_more("webhooks", WEBHOOK)
def pause(webhooks: Sequence[int]) -> None:
    """Keep the events of webhooks without sending them."""

    def switch(session: Session, found: Webhook) -> bool:
        return switch_webhook(session, found, WebhookState.PAUSED)

    for webhook, new in change_webhooks(webhooks, Action.WEBHOOK_PAUSED, switch).items():
        click.echo(f"webhook_{webhook} {'is' if new else 'was already'} paused.")


@group.command("resume")
@one_or_more("webhooks", WEBHOOK)
@click.option("--discard", is_flag=True, help="Cancel the waiting deliveries.")
def resume(webhooks: Sequence[int], discard: bool) -> None:
    """Send again, the waiting deliveries first; ends a simulation too."""

    def switch(session: Session, found: Webhook) -> bool:
        return resume_webhook(session, found, discard=discard)

    for webhook, new in change_webhooks(webhooks, Action.WEBHOOK_RESUMED, switch).items():
        click.echo(f"webhook_{webhook} {'is' if new else 'was already'} active.")
        if discard and not new:
            note("Nothing was discarded: only a paused webhook discards.")


def change_webhooks(
    webhooks: Sequence[int],
    action: Action,
    change: Callable[[Session, Webhook], bool],
    detail: str = "",
) -> dict[int, bool]:
    """Change webhooks, and record those that changed; return for each whether it did."""

    def job(session: Session, webhook: int) -> bool:
        found = find_webhook(session, webhook)
        changed = change(session, found)
        if changed:
            record_webhook(session, CLI, action, found.company_id, webhook, detail)
        return changed

    return write_each(webhooks, job)


@group.command("delete")
@click.argument("webhook", type=WEBHOOK)
@click.option("--yes", is_flag=True, help="Really delete it.")
def delete(webhook: int, yes: bool) -> None:
    """Delete a webhook with its waiting deliveries."""
    if not yes:
        found = find_webhook(db.session(), webhook)
        raise BadInput(
            f"Deleting webhook_{webhook} ({found.name}) would lose its settings and its waiting "
            f"deliveries ({found.health.waiting}): repeat the command with --yes to do it."
        )

    def job(session: Session) -> None:
        found = find_webhook(session, webhook)
        delete_webhook(session, found)
        _record(session, Action.WEBHOOK_DELETED, found)

    write(job)
    click.echo(f"webhook_{webhook} is deleted.")


def _record(session: Session, action: Action, webhook: Webhook) -> None:
    record_webhook(session, CLI, action, webhook.company_id, webhook.id)


def _row(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": f"webhook_{webhook.id}",
        "name": webhook.name,
        # A query or a long path segment may be the receiver's secret.
        "url": masked_url(webhook.url),
        "events": webhook.events,
        "state": webhook.state,
        "authorization": webhook.authorization is not None,
        "secret": webhook.secret is not None,
        "parallelism": webhook.parallelism,
        "timeout": webhook.timeout,
        "rate_limit": webhook.rate_limit,
        "max_age": webhook.max_age,
        "takes_recovered": webhook.takes_recovered,
        "filters": webhook.filters or {},
    }


def _say_notes(warning: str | None, events: tuple[str, ...]) -> None:
    if warning:
        note(warning)
    for event in dict.fromkeys(events):
        if event not in CATALOG:
            near = get_close_matches(event, CATALOG, n=1)
            hint = f"; do you mean {near[0]}?" if near else "."
            note(f"Note: {event} is not in the catalogue of 3C Plus events{hint}")
