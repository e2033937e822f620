"""`flask alerts`: what is wrong now, and where and of what users are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.alerts.addresses import (
    add_address,
    addresses_of,
    find_address,
    remove_address,
    send_test,
)
from webhookproxy.alerts.conditions import CONDITIONS, MINUTES_MAX, About, Condition
from webhookproxy.alerts.preferences import forget_watch, set_watch
from webhookproxy.cli.shared.context import policy, write
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, note, print_json, print_table
from webhookproxy.cli.shared.values import COMPANY, Number, PublicId, with_stdin
from webhookproxy.events.contract import whsec
from webhookproxy.extensions import db
from webhookproxy.models import Alert, AlertAddress
from webhookproxy.models.accounts.people import find_user
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.companies import find_company
from webhookproxy.reasons import ALERT_ERROR_WORDS, AlertError
from webhookproxy.rules.alerts import AddressKind

group = Group("alerts", help="What is wrong now, and where and of what users are told.")

_ADDRESS = PublicId("address")
_KIND = click.Choice([each.value for each in AddressKind])
_CONDITION = click.Choice([each.value for each in Condition])
_OPEN_SHOWN = 500


@group.command("list")
@json_option
def list_alerts(as_json: bool) -> None:
    """Show what is wrong now."""
    query = select(Alert).where(Alert.closed_at.is_(None)).order_by(Alert.since)
    rows = [
        {
            "condition": alert.condition,
            "company": None if alert.company_id is None else f"company_{alert.company_id}",
            "webhook": None if alert.webhook_id is None else f"webhook_{alert.webhook_id}",
            "since": alert.since.isoformat(timespec="seconds"),
        }
        for alert in db.session.scalars(query.limit(_OPEN_SHOWN))
    ]
    _show(rows, ("condition", "company", "webhook", "since"), "Nothing is wrong.", as_json)


@group.command("addresses")
@click.argument("email")
@json_option
def addresses(email: str, as_json: bool) -> None:
    """Show a user's addresses, in the order in which they are tried; never a secret."""
    user = find_user(db.session(), email)
    rows = [
        {
            "id": f"address_{each.id}",
            "kind": each.kind,
            "address": each.label,
            "confirmed": each.confirmed_at is not None,
            "error": _error(each.last_error),
        }
        for each in addresses_of(db.session(), user.id)
    ]
    empty = "This user has no address: `flask alerts add EMAIL KIND ADDRESS` adds one."
    _show(rows, ("id", "kind", "address", "confirmed", "error"), empty, as_json)


@group.command("add")
@click.argument("email")
@click.argument("kind", type=_KIND)
@click.argument("address")
def add(email: str, kind: str, address: str) -> None:
    """Add an address, which gets a link that confirms it; print its id.

    ADDRESS is an e-mail, a bot's token and a chat, a URL, or a topic and its access token; "-"
    reads it from standard input.
    """
    typed = with_stdin({"ADDRESS": address})["ADDRESS"] or ""
    config, rules = dict(current_app.config), policy()

    def job(session: Session) -> tuple[int, str | None]:
        user = find_user(session, email)
        made = add_address(session, user.id, kind, typed, config, rules)
        _record(session, Action.ALERT_ADDRESS_ADDED, made)
        return made.id, made.secret

    made, secret = write(job)
    click.echo(f"address_{made}")
    if secret is not None:
        note("The key that signs the alerts is shown only now:")
        click.echo(whsec(secret))


@group.command("remove")
@click.argument("address", type=_ADDRESS)
def remove(address: int) -> None:
    """Remove an address; nothing more is sent to it."""

    def job(session: Session) -> None:
        found = _address(session, address)
        _record(session, Action.ALERT_ADDRESS_REMOVED, found)
        remove_address(session, found)

    write(job)
    click.echo(f"address_{address} is removed.")


@group.command("test")
@click.argument("address", type=_ADDRESS)
def test(address: int) -> None:
    """Have the running server send a test to a confirmed address."""
    config = dict(current_app.config)
    write(lambda session: send_test(session, _address(session, address), config) and None)
    click.echo(
        f"A test is on its way: `flask alerts addresses` shows an error of address_{address}."
    )


@group.command("watch")
@click.argument("email")
@click.argument("condition", type=_CONDITION)
@click.argument("choice", type=click.Choice(["on", "off", "usual"]))
@click.option("--minutes", type=Number(int, 0, MINUTES_MAX), help="How long it must last.")
@click.option("--company", type=COMPANY, help="Only in this company; else in all.")
def watch(
    email: str, condition: str, choice: str, minutes: int | None, company: int | None
) -> None:
    """Tell a user of a condition or not; `usual` goes back to the default."""
    if company is not None and CONDITIONS[Condition(condition)].about is About.INSTALLATION:
        raise BadInput(f"{condition} is about the whole installation: leave --company out.")

    def job(session: Session) -> str:
        user = find_user(session, email)
        if company is not None:
            find_company(session, company)
        told = Condition(condition)
        if choice == "usual":
            forget_watch(session, user.id, told, company)
        else:
            is_on = choice == "on"
            set_watch(session, user.id, told, company, is_on=is_on, minutes=minutes)
        record(
            session,
            CLI,
            Action.ALERTS_CHANGED,
            company_id=company,
            subject=user.email,
            detail=condition,
        )
        return user.email

    where = "" if company is None else f" of company_{company}"
    click.echo(f"{write(job)}: {condition}{where} is {choice}.")


def _address(session: Session, address_id: int) -> AlertAddress:
    found = session.get(AlertAddress, address_id)
    # The sentence for an address that is not there is the same as for another user's.
    return find_address(session, 0 if found is None else found.user_id, address_id)


def _record(session: Session, action: Action, address: AlertAddress) -> None:
    record(session, CLI, action, subject=f"address_{address.id}", detail=address.kind)


def _error(code: str | None) -> str | None:
    # A newer version of the program may have stored another one.
    if code is None or code not in AlertError.__members__.values():
        return code
    return ALERT_ERROR_WORDS[AlertError(code)].english


def _show(
    rows: Sequence[Mapping[str, object]], columns: tuple[str, ...], empty: str, as_json: bool
) -> None:
    if as_json:
        print_json(rows)
        return
    cells = [tuple(row[each] for each in columns) for row in rows]
    print_table(tuple(each.upper() for each in columns), cells, empty)
