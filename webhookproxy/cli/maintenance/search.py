"""`flask search`: the place that events are found by, which can be made anew at any time."""

from __future__ import annotations

import time

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError

from webhookproxy.cli.shared.complaints import BadInput, Group
from webhookproxy.search.index.filling import fill
from webhookproxy.search.index.place import SearchPlace

group = Group("search", help="The index that events are searched by: make it anew.")

_TELL_SECONDS = 2.0


@group.command("rebuild")
def rebuild() -> None:
    """Throw the index away and fill it again from the stored events, also while a server runs.

    Meanwhile only the newest events are found. Stopped half way, the server goes on with it.
    """
    place: SearchPlace = current_app.extensions["search"]
    if not place.kept:
        raise BadInput("A database in memory keeps no index: there is nothing to rebuild.")
    began = time.monotonic()
    try:
        place.void()
        count = fill(place, _Progress())
    except (DBAPIError, OSError) as error:
        raise BadInput(
            f"The index could not be filled ({type(error).__name__}): is there room on the disk, "
            "and is the database reachable? Then run the same command again."
        ) from None
    click.echo(f"The index is made anew: {count} events in {time.monotonic() - began:.0f} s.")


class _Progress:
    """Says how far it is, now and then."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, indexed: int, newest: int) -> None:
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            click.echo(f"indexed up to event {indexed} of {newest}")
