"""Removes events from the index before they are masked, and indexes them again after that.

In this order, a process that is killed in between leaves an event that is not found, and never a
number that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import DBAPIError

from webhookproxy.search.index.indexing import index_again
from webhookproxy.search.index.place import SearchPlace, Work


def take_out(place: SearchPlace, ids: Collection[int]) -> None:
    """Remove these events from the index, and overwrite what the disk holds of them."""
    _do(place, partial(_take_out, ids=ids))


def put_back(place: SearchPlace, ids: Collection[int]) -> None:
    """Index these events as they are now."""
    _do(place, partial(_replace, ids=ids))


def _do(place: SearchPlace, job: Callable[[Work], None]) -> None:
    if not place.kept:
        return
    try:
        place.run(job)
    except DBAPIError:
        # No index for a while is better than one that still knows the number.
        place.void()
        # If it cannot be made now, the server makes it later; no one reads it until then.
        with suppress(DBAPIError):
            place.run(lambda _work: None)


def _take_out(work: Work, ids: Collection[int]) -> None:
    _remove(work, ids)
    # Or a sweep would index them again before they are masked.
    known = [each for each in ids if each <= work.state.cursor]
    work.writer.add_without_terms(work.connection, known)


def _replace(work: Work, ids: Collection[int]) -> None:
    _remove(work, ids)
    index_again(work, ids)


def _remove(work: Work, ids: Collection[int]) -> None:
    _overwrite(work, "ON")
    work.writer.remove(work.connection, work.state, ids)
    _overwrite(work, "OFF")


def _overwrite(work: Work, switch: str) -> None:
    """Switch PRAGMA secure_delete, which overwrites freed pages with zeros, on or off."""
    if work.connection.dialect.name == "sqlite":
        work.connection.exec_driver_sql(f"PRAGMA secure_delete = {switch}")
