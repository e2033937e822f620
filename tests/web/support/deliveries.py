"""Deliveries as the owner of the sockets leaves them, and a user who is logged in."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from tests.support.application import store_of
from tests.web.support.browser import Page
from tests.web.support.session import let_in
from webhookproxy.database.bulk import insert_rows
from webhookproxy.models.accounts.people import create_user, grant
from webhookproxy.models.accounts.sign_ins import sign_in

_EVENT = ("id", "public_id", "company_id", "name", "payload", "order_key", "socket_id",
          "token_mask", "received_ms", "hidden")  # fmt: skip
_DELIVERY = ("id", "event_id", "webhook_id", "order_key", "state", "reason", "tries", "attempts",
             "born_ms", "first_attempt_ms", "due_ms", "ended_ms", "status", "resends",
             "sent_later")  # fmt: skip
_ATTEMPT = ("delivery_id", "number", "started_ms", "duration_ms", "status", "reason", "detail",
            "answer", "answer_headers", "probe", "webhook_id")  # fmt: skip


def now_ms() -> int:
    """Now, in milliseconds since 1970."""
    return round(time.time() * 1000)


def event_row(number: int, company_id: int, **given: Any) -> tuple[Any, ...]:
    """An event that came at `received_ms`, a minute ago unless that is given."""
    values = {
        "id": number,
        "public_id": f"evt_{number:032x}",
        "company_id": company_id,
        "name": "call-was-connected",
        "payload": '{"call":{"telephony_id":"tel-1"}}',
        "order_key": "tel-1",
        "socket_id": "socket_1",
        "token_mask": "rRrX…8KrL",
        "received_ms": now_ms() - 60_000,
        "hidden": 0,
        **given,
    }
    return tuple(values[name] for name in _EVENT)


def delivery_row(number: int, event_id: int, webhook_id: int, **given: Any) -> tuple[Any, ...]:
    """A delivery that was accepted at once, unless something else is given."""
    values = {
        "id": number,
        "event_id": event_id,
        "webhook_id": webhook_id,
        "order_key": "tel-1",
        "state": "delivered",
        "reason": "accepted",
        "tries": 0,
        "attempts": 1,
        "born_ms": now_ms() - 60_000,
        "first_attempt_ms": None,
        "due_ms": None,
        "ended_ms": now_ms() - 59_000,
        "status": 200,
        "resends": 0,
        "sent_later": None,
        **given,
    }
    return tuple(values[name] for name in _DELIVERY)


def attempt_row(delivery_id: int, number: int, **given: Any) -> tuple[Any, ...]:
    """An attempt that was answered with 500, unless something else is given."""
    values = {
        "delivery_id": delivery_id,
        "number": number,
        "started_ms": now_ms() - 50_000,
        "duration_ms": 120,
        "status": 500,
        "reason": "failed_status",
        "detail": "a detail for the log",
        "answer": f"answer {number}",
        "answer_headers": f"x-request-id: asked-{number}",
        "probe": False,
        "webhook_id": None,
        **given,
    }
    return tuple(values[name] for name in _ATTEMPT)


def insert(
    app: Flask,
    events: Sequence[tuple[Any, ...]] = (),
    deliveries: Sequence[tuple[Any, ...]] = (),
    attempts: Sequence[tuple[Any, ...]] = (),
) -> None:
    """Insert rows of the tables that grow with the traffic."""

    def job(connection: Connection) -> None:
        tables = (("events", _EVENT, events), ("deliveries", _DELIVERY, deliveries))
        for table, columns, rows in (*tables, ("attempts", _ATTEMPT, attempts)):
            if rows:
                insert_rows(connection, table, columns, rows)

    store_of(app).run(job)


def deliver(app: Flask, company_id: int, webhook_id: int, number: int, **given: Any) -> int:
    """An event and its one delivery, both with this number; the delivery's fields may be given."""
    about = {name: given.pop(name) for name in _EVENT[2:] if name in given}
    event = event_row(number, company_id, **about)
    insert(app, [event], [delivery_row(number, number, webhook_id, **given)])
    return number


def logged_in(app: Flask, *companies: int, admin: bool = False) -> FlaskClient:
    """A browser of an administrator, or of an operator of these companies."""

    def job(session: Session) -> str:
        user = create_user(session, f"pessoa{time.monotonic_ns()}@exemplo.com", "", admin=admin)
        for company_id in companies:
            grant(session, user, company_id)
        return sign_in(session, user.id)

    client = app.test_client()
    let_in(client, store_of(app).session(job))
    return client


def read(client: FlaskClient, path: str) -> str:
    """A page that is there, with what every page must have."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    assert Page(answer.text).problems == []
    return answer.text


def press(client: FlaskClient, page_path: str, path: str) -> str:
    """The page after a button on another page was pressed: the token is that page's."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', read(client, page_path))
    assert found is not None
    answer = client.post(path, data={"csrf_token": found[1]})
    assert answer.status_code == 303, answer.status_code
    return read(client, answer.headers["Location"])
