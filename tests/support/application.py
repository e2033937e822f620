"""What most tests need: an application on a database, companies and webhooks, and patience."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import gevent
import pyotp
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy import create_app
from webhookproxy.database.store import Store
from webhookproxy.extensions import db
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.accounts.second_factors import begin, begun, confirm
from webhookproxy.models.companies import create_company, wish_connection
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput

TOKEN = "canary-token-of-the-company-0001"
KEYS = {"SECRET_KEY": "s" * 40, "DATA_KEYS": "d" * 40}


@contextmanager
def application(url: str, folder: Path, **overrides: Any) -> Iterator[Flask]:
    """An application that may reach loopback, on a migrated database."""
    given = {**KEYS, "DATABASE_URL": url, "ALLOW_PRIVATE_TARGETS": "1", **overrides}
    app = create_app({"INSTANCE_PATH": str(folder), **given})
    try:
        yield app
    finally:
        with app.app_context():
            db.engine.dispose()
        app.extensions["store"].close()
        app.extensions["search"].close()
        gc.collect()


def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    with application(url, Path("/nonexistent")) as app, app.app_context():
        flask_migrate.upgrade()


def store_of(app: Flask) -> Store:
    """The store of an application."""
    store: Store = app.extensions["store"]
    return store


def make_company(
    app: Flask,
    socket_url: str = "http://127.0.0.1:4000",
    token: str = TOKEN,
    *,
    name: str = "Empresa",
    connected: bool = False,
    **fields: Any,
) -> int:
    """A company; its number."""

    def job(session: Session) -> int:
        given = CompanyInput(name=name, token=token, socket_url=socket_url, **fields)
        company = create_company(session, given, app.extensions["policy"])
        if connected:
            wish_connection(session, company, connected=True)
        return company.id

    return store_of(app).session(job)


def make_webhook(app: Flask, company_id: int, url: str, **fields: Any) -> int:
    """A webhook; its number."""

    def job(session: Session) -> int:
        given = WebhookInput(**{"name": "Webhook", "url": url, **fields})
        return create_webhook(session, company_id, given, app.extensions["policy"]).id

    return store_of(app).session(job)


def make_secured_user(app: Flask, email: str) -> int:
    """A user with a second factor and recovery codes; their number."""

    def job(session: Session) -> int:
        user_id = create_user(session, email, "hash", admin=True).id
        begin(session, user_id, "a login")
        factor = begun(session, user_id, "a login")
        assert factor is not None
        confirm(session, user_id, "a login", pyotp.TOTP(factor.key).now())
        return user_id

    return store_of(app).session(job)


def rows(app: Flask, query: str, **values: Any) -> list[Any]:
    """What a SELECT finds."""
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.execute(text(query), values))


def wait_until(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """Return the first true value of a condition; fail after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := condition():
            return value
        gevent.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what or condition}")
