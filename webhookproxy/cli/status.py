"""`flask status`: the state of every process, company and webhook, from stored counters."""

from __future__ import annotations

from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.orm import joinedload, load_only

from webhookproxy.cli.shared.errors import Command
from webhookproxy.cli.shared.output import json_option, print_json
from webhookproxy.database.clock import utc_now
from webhookproxy.database.fence import shares_with
from webhookproxy.engine.liveness import shown_state, wished_of
from webhookproxy.engine.owners import Owners, read_owners
from webhookproxy.engine.processes.listing import list_processes
from webhookproxy.events.contract import timestamp
from webhookproxy.extensions import db
from webhookproxy.models import Company, Connection, Webhook, WebhookHealth
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import CONNECTION_WORDS, ConnectionReason
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.troubles.now import Trouble, TroubleKind, trouble_of
from webhookproxy.troubles.words import trouble_english


@click.command("status", cls=Command)
@json_option
@with_appcontext
def show(as_json: bool) -> None:
    """Show the processes, every company's connection and every webhook's counters."""
    owners = read_owners(db.session())
    count = owners.shares(current_app.config["SHARES"])
    companies, processes = read_status(owners), read_processes(owners, count)
    missing = shares_with(owners.missing, count)
    if as_json:
        facts = {"companies": companies, "processes": processes, "shares_without_owner": missing}
        print_json(facts)
        return
    if missing and count > 1:
        alone = wished_of(db.session(), owners.missing)
        named = ", ".join(map(str, missing))
        click.echo(f"No process owns these shares of {count}: {named}. Companies: {alone}.")
    for process in processes:
        click.echo(_process_line(process, count))
    if not companies:
        click.echo("There are no companies yet: `flask company create NAME --token -` makes one.")
    for company in companies:
        click.echo(_company_line(company))
        for webhook in company["webhooks"]:
            click.echo(f"  {_webhook_line(webhook)}")


def read_status(owners: Owners) -> list[dict[str, Any]]:
    """Return the companies as `status --json` prints them, without counting rows."""
    webhooks = _webhooks()
    # Columns, not companies: a Company would decrypt its token.
    rows = db.session.execute(
        select(Company.id, Company.name, Company.should_connect, Connection)
        .join(Connection, Connection.company_id == Company.id)
        .where(Company.deleted_at.is_(None))
        .order_by(Company.id)
    )
    return [
        {
            "id": f"company_{row.id}",
            "name": row.name,
            **_connection(row.Connection, owners, wished=row.should_connect),
            "webhooks": webhooks.get(row.id, []),
        }
        for row in rows
    ]


def read_processes(owners: Owners, count: int) -> list[dict[str, Any]]:
    """Return the processes as `status --json` prints them; one without a sign of life is silent.

    `count` is the number of shares.
    """
    return [
        {
            "host": each.process.host,
            "pid": each.process.pid,
            "version": each.process.version,
            "started_at": timestamp(to_ms(each.process.started_at)),
            "role": each.role if each.lives else "silent",
            "since": timestamp(to_ms(each.process.role_since)),
            "shares": shares_with(each.shards, count),
            "seen_seconds": round(each.seen_ms / 1000, 1),
            "events_per_second": each.process.events_per_second,
            "deliveries_per_second": each.process.deliveries_per_second,
            "sockets": each.process.sockets_connected,
            "core_share": each.process.core_share,
            "memory_bytes": each.process.memory_bytes,
        }
        for each in list_processes(db.session(), owners)
    ]


def _connection(connection: Connection, owners: Owners, *, wished: bool) -> dict[str, Any]:
    state, reason = shown_state(connection, owners, wished=wished)
    return {
        "state": state.value,
        "since": timestamp(to_ms(connection.since)),
        "reason": reason.value,
        "events": connection.events,
    }


def _webhooks() -> dict[int, list[dict[str, Any]]]:
    """Return the webhooks of every company, by the company's number."""
    # Not the secrets, which would be decrypted.
    columns = (Webhook.id, Webhook.company_id, Webhook.name, Webhook.state)
    rows = db.session.scalars(
        select(Webhook)
        .where(Webhook.deleted_at.is_(None))
        .options(
            load_only(*columns, Webhook.paused_at, Webhook.paused_reason),
            joinedload(Webhook.health),
        )
        .order_by(Webhook.id)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    now = utc_now()
    for row in rows:
        webhook = {"id": f"webhook_{row.id}", "name": row.name, **_health(row.health)}
        if (trouble := trouble_of(row, now)) is not None:
            webhook["trouble"] = _trouble(trouble)
        if row.state != WebhookState.ACTIVE:
            webhook["state"] = row.state
        if row.state == WebhookState.SIMULATED:
            webhook["simulated"] = row.health.simulated
        found.setdefault(row.company_id, []).append(webhook)
    return found


def _health(health: WebhookHealth) -> dict[str, Any]:
    error = health.last_error
    if error is not None and health.last_error_status is not None:
        error = f"{error} {health.last_error_status}"
    return {
        "delivered": health.delivered,
        "waiting": health.waiting,
        "refused": health.refused,
        "expired": health.expired,
        "circuit": "closed" if health.circuit_opened_at is None else "open",
        "last_error": error,
    }


def _trouble(trouble: Trouble) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": trouble.kind.value,
        "since": timestamp(to_ms(trouble.since)),
        "cause": trouble_english(trouble),
    }
    if trouble.kind is TroubleKind.REFUSING:
        found["share"] = round(trouble.share, 2)
    return found


def _process_line(process: dict[str, Any], count: int) -> str:
    shares = ""
    if count > 1 and process["shares"]:
        shares = f", shares {', '.join(map(str, process['shares']))} of {count}"
    return (
        f"process {process['pid']} on {process['host']}: {process['role']} since "
        f"{process['since']}{shares}, version {process['version']}, "
        f"seen {process['seen_seconds']} s ago, "
        f"{process['events_per_second']} events/s, {process['deliveries_per_second']} "
        f"deliveries/s, {process['sockets']} sockets."
    )


def _company_line(company: dict[str, Any]) -> str:
    why = CONNECTION_WORDS[ConnectionReason(company["reason"])].english
    return (
        f"{company['id']} {company['name']}: {company['state']} since {company['since']}, "
        f"{company['events']} events. {why}"
    )


def _webhook_line(webhook: dict[str, Any]) -> str:
    counters = ", ".join(
        f"{webhook[name]} {name}" for name in ("delivered", "waiting", "refused", "expired")
    )
    state = f"{webhook['state']}, " if "state" in webhook else ""
    if "simulated" in webhook:
        state = f"simulated ({webhook['simulated']} so far, nothing is sent), "
    error = f", last error {webhook['last_error']}" if webhook["last_error"] else ""
    name = f"{webhook['id']} {webhook['name']}"
    if trouble := webhook.get("trouble"):
        state = f"{trouble['kind']} since {trouble['since']}: {trouble['cause']} "
    return f"{name}: {state}{counters}, circuit {webhook['circuit']}{error}."
