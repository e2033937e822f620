"""Takes events out of the search before they are masked, and puts them in anew after that.

In this order: whoever is killed in between leaves an event that is not found, and no number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from sqlalchemy.exc import DBAPIError

from webhookproxy.search.index import indexing
from webhookproxy.search.index.place import SearchPlace, Work


def take_out(place: SearchPlace, ids: Collection[int]) -> None:
    """Have nothing of these events found; what is on the disk of them is overwritten."""
    _do(place, partial(indexing.take_out, ids=ids))


def put_back(place: SearchPlace, ids: Collection[int]) -> None:
    """Have them found as they are now."""
    _do(place, partial(indexing.index_anew, ids=ids))


def _do(place: SearchPlace, job: Callable[[Work], None]) -> None:
    if not place.kept:
        return
    try:
        place.run(job)
    except DBAPIError:
        # Rather no search for a while than one that still knows the number.
        place.void()
        # If it cannot be made anew now, the server does so later; nobody reads it until then.
        with suppress(DBAPIError):
            place.run(lambda _work: None)
