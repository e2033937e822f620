"""`flask guest`: the links that let guests see the state of a company."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from webhookproxy.cli.shared.context import write
from webhookproxy.cli.shared.errors import Group
from webhookproxy.cli.shared.output import json_option, print_json, print_table
from webhookproxy.cli.shared.values import GUEST
from webhookproxy.extensions import db
from webhookproxy.models.accounts.guest_links import (
    find_guest_link,
    guest_links,
)
from webhookproxy.models.audit import CLI, Action, record

group = Group("guest", help="The links that let guests see the state of a company.")
_COLUMNS = ("id", "company", "name", "valid", "ends")


@group.command("list")
@json_option
def list_links(as_json: bool) -> None:
    """Show every link; a link itself is shown only once, where it is made."""
    links = [
        {
            "id": f"guest_{link.id}",
            "company": f"company_{link.company_id}",
            "name": link.name,
            "valid": link.is_valid,
            "ends": link.ended_at.isoformat(timespec="seconds"),
        }
        for link in guest_links(db.session())
    ]
    if as_json:
        print_json(links)
        return
    empty = "There are no guest links: they are made on the page of a company."
    rows = [tuple(link[each] for each in _COLUMNS) for link in links]
    print_table(tuple(each.upper() for each in _COLUMNS), rows, empty)


@group.command("revoke")
@click.argument("link", type=GUEST)
def revoke(link: int) -> None:
    """End a link at once, also where it is open."""

    def job(session: Session) -> bool:
        found = find_guest_link(session, link)
        done = found.revoke()
        if done:
            about = f"guest_{link}"
            record(
                session, CLI, Action.GUEST_LINK_REVOKED, company_id=found.company_id, subject=about
            )
        return done

    click.echo(f"guest_{link} {'is revoked' if write(job) else 'had ended'}.")
