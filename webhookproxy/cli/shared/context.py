"""The app's store and its rules for addresses, for commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from flask import current_app
from sqlalchemy.orm import Session

from webhookproxy.database.store import Store
from webhookproxy.models import schema
from webhookproxy.network.guard import Policy

T = TypeVar("T")


def write(job: Callable[[Session], T]) -> T:
    """Return the job's value after its commit; a running server reads the change in a second.

    The job runs in another thread, without app context, and must return plain values. Raises the
    job's errors, and StoreUnavailable.
    """
    # Rows refer to tables that the command does not name, and SQLAlchemy wants to know them.
    schema()
    store: Store = current_app.extensions["store"]
    return store.session(job)


def write_each(ids: Sequence[int], job: Callable[[Session, int], T]) -> dict[int, T]:
    """Run a job for each id, all in one transaction; return the jobs' values by the ids."""
    return write(lambda session: {each: job(session, each) for each in ids})


def policy() -> Policy:
    """Return the rules for addresses of this installation."""
    found: Policy = current_app.extensions["policy"]
    return found
