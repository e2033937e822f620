"""The writes that a page or a program asks for: stored, then told to the engine and to pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from webhookproxy.api.shared.problems import ApiProblem
from webhookproxy.broadcast import Broadcast
from webhookproxy.database.store import Store
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.rules import Refused

T = TypeVar("T")


def write(job: Callable[[Session], T], *company_ids: int) -> T:
    """Return the job's value after its commit. Raises ApiProblem if nothing was written."""
    try:
        return write_and_tell(current_app, job, *company_ids)
    except Refused as refused:
        raise ApiProblem.of(refused) from None
    except StaleDataError:
        raise ApiProblem(409) from None


def write_and_tell(app: Flask, job: Callable[[Session], T], *company_ids: int) -> T:
    """Run a write; then wake the engine, and redraw the open pages of the companies.

    Raises what the job raises, StaleDataError if someone else saved a newer version meanwhile, and
    StoreUnavailable; then nothing was written.
    """
    store: Store = app.extensions["store"]
    try:
        value = store.session(job)
    finally:
        # What this request read before may be old now.
        db.session.expire_all()
    engine: Engine | None = app.extensions.get("engine")
    if engine is not None:
        engine.wake()
    broadcast: Broadcast = app.extensions["broadcast"]
    for company_id in company_ids:
        broadcast.tell(company_id)
    return value
