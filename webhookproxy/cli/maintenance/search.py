"""`flask search`: rebuilds the index that events are found by."""

from __future__ import annotations

import time

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError

from webhookproxy.cli.shared.errors import BadInput, Group
from webhookproxy.search.index.indexing import fill
from webhookproxy.search.index.place import SearchPlace

group = Group("search", help="The index that events are found by: rebuild it.")

_TELL_SECONDS = 2.0


@group.command("rebuild")
def rebuild() -> None:
    """Throw the index away and fill it again from the stored events, also while a server runs.

    During that time only the newest events are found. If you stop it, the server continues.
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
            f"The index could not be filled ({type(error).__name__}): check the space on the disk "
            "and whether the database is reachable, then run the same command again."
        ) from None
    click.echo(f"The index is rebuilt: {count} events in {time.monotonic() - began:.0f} s.")


class _Progress:
    """Prints the progress every two seconds."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, indexed: int, newest: int) -> None:
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            click.echo(f"indexed up to event {indexed} of {newest}")
