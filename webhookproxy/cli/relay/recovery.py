"""`flask company recover`: counts the calls that are missing here, and has them recovered."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.serving import unserved
from webhookproxy.cli.shared.values import COMPANY
from webhookproxy.database.clock import ms_now
from webhookproxy.extensions import db
from webhookproxy.models import Recovery
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.models.recovery.asking import ask, confirm
from webhookproxy.models.recovery.comparisons import DayComparison
from webhookproxy.models.recovery.recoveries import RecoveryState
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import PLATFORM_WORDS, PlatformTrouble

# A request to the running server, of which both have a state and a trouble.
R = TypeVar("R", Recovery, DayComparison)

# How long the running server is waited for, and how often it is looked at.
WAIT_SECONDS = 3_600.0
LOOK_SECONDS = 0.5


@click.command("recover", cls=Command)
@click.argument("company", type=COMPANY)
@click.option("--since", required=True, help="Like 2026-12-31T08:00, in the company's time zone.")
@click.option("--until", help="The end, in the same form (default: now).")
@click.option("--dry-run", is_flag=True, help="Only count the calls that are missing.")
@click.option("--yes", is_flag=True, help="Recover what was counted without asking.")
@with_appcontext
def recover(company: int, since: str, until: str | None, dry_run: bool, yes: bool) -> None:
    """Ask 3C Plus which calls are missing here, and send them; needs a running server."""
    session = db.session()
    zone = ZoneInfo(find_company(session, company).timezone)
    begin = _read(since, zone)
    end = ms_now() if until is None else _read(until, zone)
    refuse_without_server(session, company)
    recovery = write(lambda session: ask(session, company, begin, end, CLI))
    why = "The company wants it no longer."
    counted = wait_for(Recovery, recovery, RecoveryState.COUNTED, why)
    click.echo(f"{counted.missing} of {counted.listed} calls are missing.")
    if dry_run or not counted.missing:
        return
    if not yes and not click.confirm("Recover them and send them to the webhooks?"):
        return
    write(lambda session: confirm(session, recovery, CLI))
    done = wait_for(Recovery, recovery, RecoveryState.FINISHED, why)
    click.echo(f"{done.recovered} calls are recovered.")


def _read(typed: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.fromisoformat(typed.strip())
    except ValueError:
        raise BadInput(f"{typed!r} is no time: write it like 2026-12-31T08:00.") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def refuse_without_server(session: Session, company: int) -> None:
    """Raise BadInput if no server runs that could ask 3C Plus about a company."""
    if (whom := unserved(session, [company])) is not None:
        raise BadInput(
            f"No server is running{whom}: it is the one that asks 3C Plus. Start it first."
        )


def wait_for(table: type[R], number: int, wanted: str, why: str) -> R:
    """Return a request's row once the server brought it to a state; say what holds it up.

    Raises BadInput if it was given up: `why` is said if 3C Plus is not the reason.
    """
    until, said = time.monotonic() + WAIT_SECONDS, None
    while time.monotonic() < until:
        with Session(db.engine, expire_on_commit=False) as session:
            seen = session.get(table, number)
        if seen is None:
            raise BadInput("The company was deleted.")
        words = None
        if seen.trouble is not None:
            words = PLATFORM_WORDS[PlatformTrouble(seen.trouble)].english
        if seen.state == wanted:
            return seen
        if seen.state == RecoveryState.STOPPED:
            raise BadInput(f"It was given up. {words or why}")
        if words and words != said:
            note(f"{words} It is asked again.")
            said = words
        time.sleep(LOOK_SECONDS)
    raise BadInput("The server needs long; it goes on, and the page of the company shows it.")
