"""`flask privacy`: finds and masks the stored data of a person."""

from __future__ import annotations

from dataclasses import asdict

import click
from flask import current_app

from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, note, print_json
from webhookproxy.cli.shared.values import with_stdin
from webhookproxy.extensions import db
from webhookproxy.maintenance import privacy
from webhookproxy.maintenance.personal import PersonalNumber, read_number
from webhookproxy.models.audit import CLI

group = Group("privacy", help="The stored data of a person (LGPD): find it, mask it.")

_number = click.argument("number", metavar="PHONE-OR-CPF")


@group.command("find")
@_number
@json_option
def find(number: str, as_json: bool) -> None:
    """Count where a telephone or CPF is stored, with any punctuation; - reads standard input."""
    found = privacy.find(db.engine, _read(number))
    if as_json:
        companies = {f"company_{each}": count for each, count in sorted(found.companies.items())}
        print_json({**asdict(found), "companies": companies, "events": found.events})
        return
    click.echo(_sentence(found))
    _note_what_is_left(found)


@group.command("expunge")
@_number
@click.option("--yes", is_flag=True, help="Really mask it: it cannot be brought back.")
def expunge(number: str, yes: bool) -> None:
    """Mask it in every payload and answer, and cancel the waiting deliveries of those events."""
    wanted = _read(number)
    if not yes:
        raise BadInput(
            f"{_sentence(privacy.find(db.engine, wanted))} Masking it cannot be undone: repeat the "
            "command with --yes to do it."
        )
    store, search = current_app.extensions["store"], current_app.extensions["search"]
    done = privacy.expunge(store, db.engine, search, wanted, CLI)
    click.echo(
        f"It was masked in {done.events} events and {done.attempts} attempts; {done.cancelled} "
        "waiting deliveries were cancelled."
    )
    left = privacy.find(db.engine, wanted)
    if left.anything:
        note("More of it arrived during the command: run the same command again.")
    _note_what_is_left(left)


def _read(number: str) -> PersonalNumber:
    return read_number(with_stdin({"PHONE-OR-CPF": number})["PHONE-OR-CPF"] or "")


def _sentence(found: privacy.Found) -> str:
    where = ", ".join(f"company_{each}: {n}" for each, n in sorted(found.companies.items()))
    return (
        f"It is in {found.events} events{f' ({where})' if where else ''} and {found.attempts} "
        f"attempts; {found.waiting} deliveries of those events wait."
        + f" The filters of {found.filtered} filtered deliveries ask for it." * bool(found.filtered)
        + f" {found.names} counts and resends have it in an event's name." * bool(found.names)
        + f" {found.comparisons} comparisons list a call of it." * bool(found.comparisons)
    )


def _note_what_is_left(found: privacy.Found) -> None:
    if found.settings:
        note(f"It is also in settings; change these by hand: {', '.join(found.settings)}.")
    if found.apart:
        note(
            f"{found.apart_count} events have the area code and the rest of the number apart, "
            f"which is not masked: look at {', '.join(found.apart)}."
        )
