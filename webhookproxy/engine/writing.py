"""A write that a person or a program asked for: stored, then told to the engine and to pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask
from sqlalchemy.orm import Session

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.store import Store
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db

T = TypeVar("T")


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
