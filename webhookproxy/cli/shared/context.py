"""What commands take from the app: its one way to write, and its rules for addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.network.guard import Policy

T = TypeVar("T")


def write(job: Callable[[Session], T]) -> T:
    """The job's value once it is committed; a running server learns of it within a second.

    The job runs in another thread, without app context, and must return plain values. Raises what
    it raises, and StoreUnavailable.
    """
    store: Store = current_app.extensions["store"]
    return store.session(job)


def policy() -> Policy:
    """Which addresses this installation may reach."""
    found: Policy = current_app.extensions["policy"]
    return found
