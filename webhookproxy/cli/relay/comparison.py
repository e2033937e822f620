"""`flask company compare`: a day of a company as 3C Plus lists it, here, and at each webhook."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from flask.cli import with_appcontext

from webhookproxy.cli.relay.recovery import refuse_without_server, wait_for
from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import json_option, note, print_json, print_table
from webhookproxy.cli.shared.values import COMPANY
from webhookproxy.extensions import db
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.models.recovery.comparisons import (
    ComparisonState,
    DayComparison,
    ask_comparison,
    yesterday,
)
from webhookproxy.models.recovery.differences import FATES, named_differences


@click.command("compare", cls=Command)
@click.argument("company", type=COMPANY)
@click.option("--day", help="Like 2026-12-31, of Brasília (default: yesterday).")
@json_option
@with_appcontext
def compare(company: int, day: str | None, as_json: bool) -> None:
    """Compare a day with 3C Plus: calls there, here, and at webhooks; needs a running server."""
    find_company(db.session(), company)
    chosen = yesterday() if day is None else _read(day)
    refuse_without_server(db.session(), company)
    asked = write(lambda session: ask_comparison(session, company, chosen, CLI))
    why = "There was an error of the server: its log says which."
    row = wait_for(DayComparison, asked, ComparisonState.FINISHED, why)
    compared = row.compared
    if compared is None:
        raise BadInput("The result is gone: compare the day again.")
    facts = named_differences(db.session(), company, compared)
    if as_json:
        print_json({"company": f"company_{company}", "day": chosen.isoformat(), **facts})
    else:
        _print(chosen, facts)


def _read(typed: str) -> date:
    try:
        day = date.fromisoformat(typed.strip())
    except ValueError:
        day = date.max
    # Every day has one that follows it, except the last of all.
    if day == date.max:
        raise BadInput(f"{typed!r} is no day: write it like 2026-12-31.")
    return day


def _print(day: date, facts: dict[str, Any]) -> None:
    click.echo(
        f"{day}: {facts['listed']} calls at 3C Plus, {facts['here']} here,"
        f" {facts['missing_count']} missing, {facts['only_here_count']} only here."
    )
    if facts["is_cut"]:
        note("3C Plus lists more calls than were compared.")
    if facts["purged"]:
        note(f"The events of {facts['purged']} calls are removed: no webhook counts them.")
    names = [fate.value for fate in FATES]
    rows = [
        [each["id"], each["name"], *(each[name] for name in names)] for each in facts["webhooks"]
    ]
    print_table(["webhook", "name", *names], rows, "No webhook asks for histories of calls.")
    differences = [("missing here", each["call"], each["at"], "") for each in facts["missing"]]
    differences += [("only here", each, "", "") for each in facts["only_here"]]
    differences += [
        (f"not at {each['id']}", one["event"], one["delivery"], one["state"])
        for each in facts["webhooks"]
        for one in each["lacking"]
    ]
    if differences:
        click.echo()
        print_table(["difference", "call or event", "when or delivery", "state"], differences, "")
