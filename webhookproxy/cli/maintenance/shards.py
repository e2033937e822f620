"""`flask shard`: which process owns which share of the companies, and how one is moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click
from flask import current_app
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.cli.shared.output import json_option, note, print_json, print_table
from webhookproxy.cli.shared.values import Number
from webhookproxy.engine.owners import Owners, read_owners
from webhookproxy.engine.processes.listing import list_processes
from webhookproxy.engine.shares.listing import Listed, list_shares
from webhookproxy.engine.shares.placement import WANTED_MS
from webhookproxy.extensions import db
from webhookproxy.models import Process
from webhookproxy.models.audit import CLI, Action, record
from webhookproxy.models.installation.handovers import want_owner
from webhookproxy.models.installation.processes import Role

group = Group("shard", help="The 64 shards of companies, in shares: who owns each, and moving one.")

_HEADINGS = ("SHARE", "SHARDS", "COMPANIES", "OWNER", "HEARTBEAT")
_ONE_SHARE = (
    "All companies are one share here, because SHARES is 1: end its owner, and a process that "
    "waits takes over, or start another one with `bin/serve --take-over`."
)


@group.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """Show every share: its shards and companies, and the process that owns it."""
    shares = _shares(read_owners(db.session()))
    if as_json:
        print_json([_as_json(each) for each in shares])
        return
    rows = [
        (
            _number(each),
            _few(sorted(each.share.shards)),
            each.companies,
            each.owner or "no owner",
            "never" if each.seen_ms is None else f"{each.seen_ms / 1000:.1f} s ago",
        )
        for each in shares
    ]
    print_table(_HEADINGS, rows, "")


@group.command("move")
@click.argument("share", type=Number(int))
@click.argument("process")
def move(share: int, process: str) -> None:
    """Have another process own a share, by its number in `flask shard list`.

    PROCESS is a name as that list has it; its beginning, "host:pid", will do.
    """
    owners = read_owners(db.session())
    shares = _shares(owners)
    if len(shares) == 1:
        raise BadInput(_ONE_SHARE)
    if share not in range(len(shares)):
        raise BadInput(f"There is no share {share}: the shares are 0 to {len(shares) - 1}.")
    living = [each.process for each in list_processes(db.session(), owners) if each.lives]
    wanted, moved = _chosen(process, living), shares[share]
    if moved.owner == wanted.name:
        raise BadInput(f"{wanted.name} owns share {share} already.")

    def job(session: Session) -> None:
        want_owner(session, moved.share.number, wanted.name)
        detail = f"{share}/{len(shares)} -> {wanted.name}"
        record(session, CLI, Action.SHARE_MOVED, detail=detail)

    write(job)
    click.echo(_promise(moved, wanted.name))
    _warn_of_evening_out(shares, moved, wanted, living)


def _shares(owners: Owners) -> list[Listed]:
    # The servers may have a setting that this command was started without.
    return list_shares(db.session(), owners, owners.shares(current_app.config["SHARES"]))


def _chosen(given: str, living: Sequence[Process]) -> Process:
    """Return the living process of a name, or of its beginning; raise BadInput if it cannot own."""
    found = [each for each in living if f"{each.name}:".startswith(f"{given}:")]
    if not found:
        names = ", ".join(each.name for each in living if each.role != Role.PAGES)
        raise BadInput(
            f"No living process is called {given}. These live: {names}."
            if names
            else f"No living process is called {given}, and no process that can own a share lives."
        )
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise BadInput(f"{given} is not one process: write the whole name, one of {names}.")
    if found[0].role == Role.PAGES:
        raise BadInput(
            f"{found[0].name} serves pages only: it owns no share while its SHARDS_MAX is 0."
        )
    return found[0]


def _promise(moved: Listed, name: str) -> str:
    what = f"share {_number(moved)} ({moved.companies} companies)"
    if moved.owner is None:
        how = f"No process owns {what}: {name} asks for it, or for its next owner's place."
    else:
        how = (
            f"{name} asks {moved.owner} for {what} now. It opens its own sockets first, so there "
            "is no hole; this takes a few seconds."
        )
    return (
        f"{how}\n`flask shard list` shows the new owner then. If it does not after "
        f"{WANTED_MS // 1000} s, the wish is forgotten: look at the logs of both processes, and "
        "move it again."
    )


def _warn_of_evening_out(
    shares: Sequence[Listed], moved: Listed, wanted: Process, living: Sequence[Process]
) -> None:
    """Say if the processes will even the shares out again, see engine/shares/placement."""
    owned = Counter({each.name: 0 for each in living if each.role != Role.PAGES})
    owned.update(each.owner for each in shares if each.owner is not None)
    owned.update({wanted.name: 1})
    if moved.owner is not None:
        owned.subtract({moved.owner: 1})
    most, least = max(owned.values()), min(owned.values())
    if most - least > 1:
        note(
            f"One process will own {most} shares and another one {least}: after "
            f"{WANTED_MS // 1000} s the one with fewer asks for a share, this one or another, "
            "unless its SHARDS_MAX is reached."
        )


def _as_json(each: Listed) -> dict[str, object]:
    return {
        "share": each.share.number,
        "of": each.share.count,
        "shards": sorted(each.share.shards),
        "companies": each.companies,
        "owner": each.owner,
        "heartbeat_seconds": None if each.seen_ms is None else round(each.seen_ms / 1000, 1),
    }


def _number(each: Listed) -> str:
    return f"{each.share.number} of {each.share.count}"


def _few(shards: Sequence[int]) -> str:
    """Return the numbers, which are equally far apart: the first two and the last of many."""
    if len(shards) <= 4:
        return ", ".join(map(str, shards))
    return f"{shards[0]}, {shards[1]}, … {shards[-1]}"
