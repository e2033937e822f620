"""Alerts beside a real kill, a real takeover and a PostgreSQL that is really stopped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.alerts.table import TABLE, Stage
from tests.support import postgresql
from tests.support.application import make_company, make_webhook, rows, store_of, wait_until
from tests.support.receiver import OK, Receiver, hang
from tests.support.server_process import ServerProcess
from tests.web.support.sockets import owner
from webhookproxy.alerts.conditions import Condition
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.engine.last_word import LastWord
from webhookproxy.engine.liveness import look
from webhookproxy.models import Alert, AlertAddress, AlertMessage, AlertMessagePart, Webhook
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.alerts.messages import MessageKind, Part

OPENED, CLOSED = "alert.opened", "alert.closed"


def add_due_message(session: Session, webhook_id: int, url: str) -> None:
    """Store a paused webhook with its alert, and the message about it that is due."""
    now = datetime.now(UTC)
    webhook = session.get(Webhook, webhook_id)
    assert webhook is not None
    webhook.state, webhook.paused_reason, webhook.paused_at = "paused", "gone", now
    user = create_user(session, "ana@exemplo.com.br", "hash", admin=True)
    address = AlertAddress(user_id=user.id, kind="webhook", target=url, label="here", position=1)
    address.created_at = address.confirmed_at = now - timedelta(hours=1)
    alert = Alert(condition=Condition.WEBHOOK_PAUSED.value, webhook_id=webhook_id)
    alert.company_id, alert.since, alert.opened_at = webhook.company_id, now, now
    message = AlertMessage(message_id="alert_1", user_id=user.id, kind=MessageKind.OPENED.value)
    message.created_at = message.due_at = now
    session.add_all([address, alert, message])
    session.flush()
    part = AlertMessagePart(message_id=message.id, alert_id=alert.id, part=Part.OPENED.value)
    session.add(part)


@pytest.mark.slow
def test_the_next_owner_sends_a_message_again_that_a_killed_one_did_not_write_down(
    app: Flask, sqlite_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    company = make_company(app)
    webhook = make_webhook(app, company, "http://127.0.0.1:4009/")
    url = receiver.url()
    store_of(app).session(lambda session: add_due_message(session, webhook, url))
    # It is taken, and the answer never comes.
    receiver.answer = lambda _: hang()
    with (
        ServerProcess(sqlite_url, tmp_path) as first,
        ServerProcess(sqlite_url, tmp_path) as next_one,
    ):
        receiver.wait_for(1)
        receiver.answer = OK
        first.kill()
        sent = "SELECT 1 FROM alert_messages WHERE sent_at IS NOT NULL"
        wait_until(lambda: rows(app, sent), 20, "the next owner wrote down that it was sent")
        assert next_one.terminate() == 0
    assert [each.headers["webhook-id"] for each in receiver.requests] == ["alert_1"] * 2
    # Nothing else is told, and the alert is the same.
    assert [tuple(each) for each in rows(app, "SELECT id, closed_at FROM alerts")] == [(1, None)]
    assert len(rows(app, "SELECT 1 FROM alert_messages")) == 1


def fails(step: Callable[[], object]) -> bool:
    """Try a step; return whether the database did not do its part."""
    try:
        step()
    except (OperationalError, StoreUnavailable):
        return True
    return False


@pytest.mark.slow
def test_a_postgresql_that_is_really_stopped_is_told_once_and_everything_else_afterwards(
    postgresql_server: postgresql.Server, postgresql_app: Flask
) -> None:
    stage = Stage(postgresql_app)
    alerting = stage.alerting
    looking = partial(look, alerting.reading, lambda: None)
    last_word = LastWord(
        alerting.store,
        alerting.reading,
        alerting.channel,
        None,
        looking,
        lambda: True,
        lambda: True,
        alerting.clock,
    )
    owner(postgresql_app)
    # It reads the addresses.
    last_word.step()
    alerting.run()
    for row in TABLE:
        if not row.is_single:
            row.begin(alerting, *stage.places[row.condition][0])
    postgresql_server.stop_at_once()
    try:
        for _ in range(10):
            alerting.now += timedelta(minutes=1)
            last_word.step()
            assert last_word.join(20)
            assert fails(alerting.watcher.step)
            assert fails(alerting.outbox.step)
    finally:
        postgresql_server.start()
    told = stage.sent_since(0)
    assert {key: len(each) for key, each in told.items() if each} == {Condition.NOT_STORING: 1}
    wait_until(lambda: not fails(lambda: owner(postgresql_app)), 20, "the database is there again")
    wait_until(lambda: not fails(last_word.step) and looking().ok, 20, "it is seen")
    alerting.run(minutes=60, step=10)
    for condition, messages in stage.sent_since(0).items():
        kinds = [each.kind for each in messages]
        if condition is Condition.NOT_STORING:
            assert kinds == [OPENED, CLOSED]
        else:
            is_single = condition in (Condition.DISK_FULL, Condition.NO_OWNER)
            assert kinds == ([] if is_single else [OPENED]), condition
