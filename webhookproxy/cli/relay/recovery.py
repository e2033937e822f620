"""`flask company recover`: counts the calls that are missing here, and has them recovered."""

from __future__ import annotations

import time
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import click
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Command
from webhookproxy.cli.shared.output import note
from webhookproxy.cli.shared.values import COMPANY
from webhookproxy.database.clock import ms_now
from webhookproxy.engine.liveness import read_owner
from webhookproxy.extensions import db
from webhookproxy.models import Recovery
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.models.recovery.asking import ask, confirm
from webhookproxy.models.recovery.recoveries import RecoveryState
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import PLATFORM_WORDS, PlatformTrouble

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
    if not read_owner(session).alive:
        raise BadInput("No server is running: it is the one that asks 3C Plus. Start it first.")
    recovery = write(lambda session: ask(session, company, begin, end, CLI))
    counted = _wait(recovery, RecoveryState.COUNTED)
    click.echo(f"{counted.missing} of {counted.listed} calls are missing.")
    if dry_run or not counted.missing:
        return
    if not yes and not click.confirm("Recover them and send them to the webhooks?"):
        return
    write(lambda session: confirm(session, recovery, CLI))
    click.echo(f"{_wait(recovery, RecoveryState.FINISHED).recovered} calls are recovered.")


def _read(typed: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.fromisoformat(typed.strip())
    except ValueError:
        raise BadInput(f"{typed!r} is no time: write it like 2026-12-31T08:00.") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=zone))


class _Seen(NamedTuple):
    """The row of a recovery at one look."""

    state: str
    trouble: str | None
    listed: int
    missing: int
    recovered: int


def _wait(recovery: int, wanted: RecoveryState) -> _Seen:
    """Return the row once the server brought it to this state; say what holds it up."""
    until, said = time.monotonic() + WAIT_SECONDS, None
    while time.monotonic() < until:
        seen = _look(recovery)
        words = None
        if seen.trouble is not None:
            words = PLATFORM_WORDS[PlatformTrouble(seen.trouble)].english
        if seen.state == wanted:
            return seen
        if seen.state == RecoveryState.STOPPED:
            raise BadInput(f"It was given up. {words or 'The company wants it no longer.'}")
        if words and words != said:
            note(f"{words} It is asked again.")
            said = words
        time.sleep(LOOK_SECONDS)
    raise BadInput("The server needs long; it goes on, and the page of the company shows it.")


def _look(recovery: int) -> _Seen:
    with Session(db.engine) as session:
        found = session.get(Recovery, recovery)
        if found is None:
            raise BadInput("The company was deleted.")
        return _Seen(found.state, found.trouble, found.listed, found.missing, found.recovered)
