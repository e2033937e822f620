"""The common needs of tests: an application on a database, companies, webhooks, and waiting."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any

import flask_migrate
import gevent
import pyotp
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from webhookproxy import create_app
from webhookproxy.broadcast import Broadcast
from webhookproxy.config.keys import Keyring
from webhookproxy.database.clock import process_clock
from webhookproxy.database.migrate import migrations
from webhookproxy.database.store import Store
from webhookproxy.extensions import db
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.accounts.second_factors import begin, begun, confirm
from webhookproxy.models.companies import create_company, wish_connection
from webhookproxy.models.types import use_keyring
from webhookproxy.models.webhooks import create_webhook
from webhookproxy.network.guard import Policy
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput
from webhookproxy.search.index.place import SearchPlace

TOKEN = "canary-token-of-the-company-0001"
KEYS = {"SECRET_KEY": "s" * 40, "DATA_KEYS": "d" * 40}
# A wait's limit only ends what hangs. A machine with other work may need this many times as long.
BUSY = 3.0


class CompiledTemplates(BytecodeCache):
    """Compile each template once for all applications of this process, not once for each."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._code[bucket.key, bucket.checksum] = bucket.code


_compiled = CompiledTemplates()
_compile_builder = Rule._compile_builder
_builders: dict[tuple[str, bool], Callable[..., tuple[str, str]]] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """Compile what makes the address of a route once for all applications of this process.

    It is most of what building an application takes, and depends on nothing but the route.
    """
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = repr((rule.rule, rule._trace)), append_unknown
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _compile_once  # type: ignore[assignment, method-assign]


class ReusableApplication:
    """One application for many tests: building one and its first pages take five times a test.

    Its database always has the same URL; the file there is a new one for each test.
    """

    def __init__(self, folder: Path, url: str) -> None:
        settings = {**KEYS, "ALLOW_PRIVATE_TARGETS": "1", "INSTANCE_PATH": str(folder)}
        self._url = url
        self._app = create_app({**settings, "DATABASE_URL": url})
        migrations(self._app)
        if url.startswith("sqlite"):
            event.listen(store_of(self._app).engine, "connect", _forget_power_cuts)
        self._config, self._extensions = dict(self._app.config), dict(self._app.extensions)

    @contextmanager
    def as_new(self) -> Iterator[Flask]:
        """Yield the application; undo a test's changes of it."""
        app = self._app
        app.config.clear()
        app.config.update(self._config)
        app.extensions.clear()
        app.extensions.update(self._extensions)
        app.extensions["broadcast"] = Broadcast()
        app.extensions["search"] = SearchPlace(self._url)
        store = store_of(app)
        store.failing_since = None
        # What a test put in the place of a method of this object, or put back: it would hide what
        # a later test does to the class.
        for name in [each for each in vars(store) if callable(getattr(Store, each, None))]:
            delattr(store, name)
        use_keyring(Keyring(app.config["DATA_KEYS"]))
        with _ending(app):
            yield app


def _forget_power_cuts(connection: Any, _record: object) -> None:
    """Have SQLite commit without waiting for the disk, which takes half of a commit's time."""
    connection.execute("PRAGMA synchronous = OFF")


@contextmanager
def _ending(app: Flask) -> Iterator[None]:
    try:
        yield
    finally:
        with app.app_context():
            db.engine.dispose()
        app.extensions["store"].close()
        app.extensions["search"].close()
        process_clock.forget()
        # An open file that a test forgot is told of in that test. What is left lives longer, and
        # is not looked at again: that makes the next collection quick.
        gc.collect()
        gc.freeze()


@contextmanager
def application(url: str, folder: Path, **overrides: Any) -> Iterator[Flask]:
    """An application that may reach loopback, on a migrated database."""
    given = {**KEYS, "DATABASE_URL": url, "ALLOW_PRIVATE_TARGETS": "1", **overrides}
    app = create_app({"INSTANCE_PATH": str(folder), **given})
    app.jinja_env.bytecode_cache = _compiled
    migrations(app)
    with _ending(app):
        yield app


def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    with application(url, Path("/nonexistent")) as app, app.app_context():
        flask_migrate.upgrade()


def store_of(app: Flask) -> Store:
    """The store of an application."""
    store: Store = app.extensions["store"]
    return store


def rest_on_loopback(app: Flask) -> Policy:
    """Let 3C Plus be asked over REST where its socket is: at the simulator. Return the policy."""
    policy: Policy = replace(app.extensions["policy"], rest_hosts=frozenset({"127.0.0.1"}))
    app.extensions["policy"] = policy
    return policy


def make_company(
    app: Flask,
    socket_url: str = "http://127.0.0.1:4000",
    token: str = TOKEN,
    *,
    name: str = "Empresa",
    connected: bool = False,
    **fields: Any,
) -> int:
    """Create a company; return its number."""

    def job(session: Session) -> int:
        given = CompanyInput(name=name, token=token, socket_url=socket_url, **fields)
        company = create_company(session, given, app.extensions["policy"])
        if connected:
            wish_connection(session, company, connected=True)
        return company.id

    return store_of(app).session(job)


def make_webhook(app: Flask, company_id: int, url: str, **fields: Any) -> int:
    """Create a webhook; return its number."""

    def job(session: Session) -> int:
        given = WebhookInput(**{"name": "Webhook", "url": url, **fields})
        return create_webhook(session, company_id, given, app.extensions["policy"]).id

    return store_of(app).session(job)


def make_secured_user(app: Flask, email: str) -> int:
    """Create a user with a second factor and recovery codes; return the user's number."""

    def job(session: Session) -> int:
        user_id = create_user(session, email, "hash", admin=True).id
        begin(session, user_id, "a login")
        factor = begun(session, user_id, "a login")
        assert factor is not None
        confirm(session, user_id, "a login", pyotp.TOTP(factor.key).now())
        return user_id

    return store_of(app).session(job)


def rows(app: Flask, query: str, **values: Any) -> list[Any]:
    """Return the rows of a SELECT."""
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.execute(text(query), values))


def least_processor_time(act: Callable[[], Any], rounds: int = 3) -> float:
    """Return the least seconds of the processor that this thread needs for it, of some rounds."""
    took = []
    for _ in range(rounds):
        began = time.thread_time()
        act()
        took.append(time.thread_time() - began)
    return min(took)


def wait_until(condition: Callable[[], Any], seconds: float = 20.0, what: str = "") -> Any:
    """Return the first true value of a condition; fail after `seconds`, or later if it is busy."""
    limit = seconds * BUSY
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if value := condition():
            return value
        gevent.sleep(0.01)
    raise AssertionError(f"not within {limit} s: {what or condition}")
