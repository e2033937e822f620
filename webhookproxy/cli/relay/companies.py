"""`flask company`: the companies whose events come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from webhookproxy.cli.relay.reach import lookup_warning
from webhookproxy.cli.shared.context import policy, write, write_each
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, note, print_json, print_table
from webhookproxy.cli.shared.serving import unserved
from webhookproxy.cli.shared.values import COMPANY, Number, one_or_more, with_stdin
from webhookproxy.engine.liveness import shown_state
from webhookproxy.engine.owners import read_owners
from webhookproxy.events.contract import token_mask
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.audit import CLI, Action, record_company, record_company_edit
from webhookproxy.models.companies import (
    create_company,
    delete_company,
    edit_company,
    find_company,
    wish_connection,
)
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.network.guard import check_socket_url
from webhookproxy.rules.companies import (
    DEFAULT_RECORDING_DAYS,
    DEFAULT_TIMEZONE,
    MOST_RECORDING_DAYS,
    CompanyInput,
    changed_company,
    check_retention,
    read_expiry,
)

group = Group(
    "company",
    help="The companies whose events come in.",
    lazy={
        "compare": "webhookproxy.cli.relay.comparison:compare",
        "recover": "webhookproxy.cli.relay.recovery:recover",
    },
)

_COLUMNS = ("id", "name", "threec_id", "token_mask", "socket_url", "agent_id", "wished", "state")
_ABOUT_API = "API token of a manager; - reads it from standard input, so that no list shows it."


def _switch(*names: str, help: str) -> Callable[..., Any]:  # noqa: A002 - as click says it
    return click.option(*names, default=None, help=help)


def _fields(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `create` and `edit` share; None stands for an absent one."""
    for option in (
        _switch(
            "--hide-credentials/--show-credentials",
            help="Whether credentials in payloads are replaced (default: hidden).",
        ),
        _switch(
            "--recover/--no-recover",
            "recover_calls",
            help="Whether the calls of gaps are asked for afterwards (default: they are).",
        ),
        _switch(
            "--sweep/--no-sweep",
            "sweep_calls",
            help="Whether they are also asked for every 30 minutes (default: they are not).",
        ),
        click.option(
            "--rest-token",
            help="A second token, for REST only, if --token is of an agent; - reads it from "
            'standard input, "" clears it.',
        ),
        _switch(
            "--observe-second/--no-observe-second",
            help="Whether a second socket is compared with the first (default: it is not).",
        ),
        click.option(
            "--rest-url",
            help="REST of 3C Plus (default https://app.3c.plus); a new one needs its token again.",
        ),
        _switch(
            "--recording-links/--no-recording-links",
            help="Whether histories carry a link to the recording (default: they do not).",
        ),
        click.option(
            "--recording-days",
            type=Number(int, 1, MOST_RECORDING_DAYS),
            help=f"For how many days such a link opens (default {DEFAULT_RECORDING_DAYS}).",
        ),
        click.option(
            "--timezone", help=f"For the times on the pages (default {DEFAULT_TIMEZONE})."
        ),
        click.option(
            "--retention-days",
            type=Number(int, 0, 365),
            help="How long its events are kept (default 0: as the setting RETENTION_DAYS says).",
        ),
        click.option(
            "--token-expires",
            help='Day on which the token ends, like 2026-12-31, or "" for none: alerts warn 7 days '
            "before.",
        ),
        click.option("--agent-id", help="Connect as this agent (default: none)."),
        click.option("--socket-url", help="Socket.IO server (default: the setting SOCKET_URL)."),
        click.option("--threec-id", help="The company's number at 3C Plus."),
    ):
        command = option(command)
    return command


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    check_retention(fields.get("retention_days"), current_app.config["RETENTION_DAYS"])
    given = {name: value for name, value in fields.items() if value is not None}
    if given.get("rest_token") == "":
        given["rest_token"] = None
    if "token_expires" in given:
        given["token_expires_at"] = read_expiry(given.pop("token_expires"))
    return given


def _read_tokens(token: str | None, rest_token: str | None) -> tuple[str | None, str | None]:
    """Return both; one of them may come from standard input."""
    read = with_stdin({"--token": token, "--rest-token": rest_token})
    return read["--token"], read["--rest-token"]


@group.command("create")
@click.argument("name")
@click.option("--token", required=True, help=_ABOUT_API)
@_fields
def create(name: str, token: str, **fields: Any) -> None:
    """Create a company, not connected yet; prints its id."""
    given_token, fields["rest_token"] = _read_tokens(token, fields["rest_token"])
    usual = CompanyInput(name, given_token or "", current_app.config["SOCKET_URL"])
    company = replace(usual, **_given(fields))
    allowed, warning = policy(), _socket_warning(fields["socket_url"])

    def job(session: Session) -> int:
        created = create_company(session, company, allowed).id
        record_company(session, CLI, Action.COMPANY_CREATED, created)
        return created

    click.echo(f"company_{write(job)}")
    if warning:
        note(warning)


@group.command("list")
@json_option
def list_companies(as_json: bool) -> None:
    """Show every company."""
    owners = read_owners(db.session())
    companies = db.session.scalars(
        select(Company)
        .where(Company.deleted_at.is_(None))
        .options(joinedload(Company.connection))
        .order_by(Company.id)
    )
    rows = [
        {
            "id": f"company_{each.id}",
            "name": each.name,
            "threec_id": each.threec_id,
            "token_mask": token_mask(each.token),
            "socket_url": each.socket_url,
            "agent_id": each.agent_id,
            "retention_days": each.retention_days,
            "recover_calls": each.recover_calls,
            "sweep_calls": each.sweep_calls,
            "has_rest_token": each.has_rest_token,
            "rest_url": each.rest_url,
            "wished": each.should_connect,
            "state": shown_state(each.connection, owners, wished=each.should_connect)[0].value,
        }
        for each in companies
    ]
    if as_json:
        print_json(rows)
        return
    empty = "There are no companies yet: `flask company create NAME --token -` makes one."
    headings = [column.upper().replace("_", " ") for column in _COLUMNS]
    print_table(headings, [[row[column] for column in _COLUMNS] for row in rows], empty)


@group.command("edit")
@click.argument("company", type=COMPANY)
@click.option("--name")
@click.option("--token", help=f"{_ABOUT_API} A new socket host needs it again.")
@_fields
def edit(company: int, token: str | None, **fields: Any) -> None:
    """Change the given fields only; a new token or server reconnects."""
    token, fields["rest_token"] = _read_tokens(token, fields["rest_token"])
    given = _given({**fields, "token": token})
    if not given:
        raise BadInput(f"Nothing to change in company_{company}: give at least one option.")
    allowed, warning = policy(), _socket_warning(fields["socket_url"])

    def job(session: Session) -> None:
        found = find_company(session, company)
        before = found.input()
        edit_company(session, found, changed_company(before, given, allowed), allowed)
        record_company_edit(session, CLI, before, found)

    write(job)
    click.echo(f"company_{company} is saved.")
    if warning:
        note(warning)


@group.command("connect")
@one_or_more("companies", COMPANY)
def connect(companies: Sequence[int]) -> None:
    """Connect companies; the running server does it, now and after every restart."""
    _wish(companies, connected=True)
    if (whom := unserved(db.session(), companies)) is not None:
        note(f"No server is running now{whom}: companies connect when one runs.")


@group.command("disconnect")
@one_or_more("companies", COMPANY)
def disconnect(companies: Sequence[int]) -> None:
    """Disconnect companies; 3C Plus never repeats the events of that time."""
    _wish(companies, connected=False)


@group.command("delete")
@click.argument("company", type=COMPANY)
@click.option("--yes", is_flag=True, help="Really delete it.")
def delete(company: int, yes: bool) -> None:
    """Delete a company, with its webhooks, events and waiting deliveries."""
    if not yes:
        raise BadInput(_what_would_be_lost(company))

    def job(session: Session) -> None:
        delete_company(session, find_company(session, company))
        record_company(session, CLI, Action.COMPANY_DELETED, company)

    write(job)
    click.echo(f"company_{company} is deleted; its data is being removed.")


def _wish(companies: Sequence[int], *, connected: bool) -> None:
    def job(session: Session, company: int) -> bool:
        changed = wish_connection(session, find_company(session, company), connected=connected)
        if changed:
            action = Action.CONNECT if connected else Action.DISCONNECT
            record_company(session, CLI, action, company)
        return changed

    state = "connected" if connected else "disconnected"
    for company, new in write_each(companies, job).items():
        click.echo(f"company_{company} {'is to be' if new else 'was already to be'} {state}.")


def _socket_warning(socket_url: str | None) -> str | None:
    return None if socket_url is None else lookup_warning(socket_url, check_socket_url)


def _what_would_be_lost(company_id: int) -> str:
    session = db.session()
    company = find_company(session, company_id)
    webhooks = live_webhooks(session, [company_id])
    waiting = sum(webhook.health.waiting for webhook in webhooks)
    return (
        f"Deleting company_{company_id} ({company.name}) would lose its webhooks "
        f"({len(webhooks)}), all its stored events and the waiting deliveries ({waiting}): "
        "repeat the command with --yes to do it."
    )
