"""The rows: instants, secrets, fingerprints, versions, and the schema itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import inspect, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from tests.support.application import TOKEN, application, make_company, make_webhook, rows, store_of
from webhookproxy.extensions import db
from webhookproxy.models import Company, Webhook, schema
from webhookproxy.models.companies import delete_company, edit_company, find_company
from webhookproxy.models.installation.changes import changes_since
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

HOOK = "http://127.0.0.1:4001/"


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def edit(app: Flask, company_id: int, **fields: Any) -> None:
    def job(session: Session) -> None:
        company = find_company(session, company_id)
        edit_company(session, company, replace(company.input(), **fields), app.extensions["policy"])

    store_of(app).session(job)


def test_the_migrations_build_exactly_what_the_models_say(app: Flask) -> None:
    with app.app_context():
        flask_migrate.check()


def test_the_migrations_can_be_taken_back(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
        flask_migrate.upgrade()
        assert set(schema().tables) <= set(inspect(db.engine).get_table_names())


def test_a_time_without_a_zone_is_refused(app: Flask) -> None:
    company = make_company(app)
    naive = update(Company).where(Company.id == company).values(deleted_at=datetime(2026, 1, 1))
    with pytest.raises(StatementError, match="A time without a zone is ambiguous"):
        store_of(app).run(lambda connection: connection.execute(naive) and None)


def test_an_instant_comes_back_in_utc_to_the_millisecond(app: Flask) -> None:
    company = make_company(app)
    given = datetime(2026, 11, 23, 9, 0, 0, 123_000, timezone(timedelta(hours=-3)))
    change = update(Company).where(Company.id == company).values(created_at=given)
    store_of(app).run(lambda connection: connection.execute(change) and None)
    with app.app_context():
        found = db.session.get_one(Company, company).created_at
    assert found == given
    assert found.tzinfo is UTC
    assert from_ms(to_ms(given)) == given


def test_secrets_are_stored_encrypted_and_read_as_they_were(app: Flask) -> None:
    company = make_company(app)
    webhook = make_webhook(app, company, HOOK, authorization="Bearer canary", secret="ção-canary")
    (one,) = rows(app, "SELECT token FROM companies")
    (other,) = rows(app, 'SELECT "authorization", secret FROM webhooks')
    for stored in (*one, *other):
        assert stored.startswith("f1:")
        assert "canary" not in stored
    with app.app_context():
        found = db.session.get_one(Webhook, webhook)
        assert (found.authorization, found.secret) == ("Bearer canary", "ção-canary")
        assert db.session.get_one(Company, company).token == TOKEN


def test_a_token_is_registered_once_for_each_host_and_agent(app: Flask) -> None:
    make_company(app)
    make_company(app, "http://127.0.0.1:4002")
    make_company(app, agent_id="7")
    with pytest.raises(Refused, match="already registered"):
        make_company(app, name="Outra")
    assert len(rows(app, "SELECT id FROM companies")) == 3


def test_editing_a_company_into_anothers_token_is_refused_and_into_its_own_is_not(
    app: Flask,
) -> None:
    one = make_company(app)
    other = make_company(app, token="canary-token-of-the-company-0002")
    edit(app, one, name="Renomeada")
    with pytest.raises(Refused, match="already registered"):
        edit(app, other, token=TOKEN)


def test_a_deleted_companys_token_may_be_registered_anew(app: Flask) -> None:
    company = make_company(app)
    store_of(app).session(lambda session: delete_company(session, find_company(session, company)))
    assert make_company(app) != company
    with pytest.raises(Refused, match="There is no company_"):
        edit(app, company, name="Outra")


def test_saving_over_a_newer_version_is_refused(app: Flask) -> None:
    company = make_company(app)

    def job(session: Session) -> None:
        mine = find_company(session, company)
        somebody_elses = "UPDATE companies SET version = version + 1"
        session.connection().exec_driver_sql(somebody_elses)
        mine.name = "Minha"
        session.flush()

    with pytest.raises(StaleDataError):
        store_of(app).session(job)
    assert rows(app, "SELECT name FROM companies")[0].name == "Empresa"


def test_each_change_has_a_number_that_a_running_server_can_ask_from(app: Flask) -> None:
    one = make_company(app)
    other = make_company(app, token="canary-token-of-the-company-0002")
    with app.app_context():
        seen, changed = changes_since(db.session(), 0)
        assert changed == {one, other}
    make_webhook(app, other, HOOK)
    with app.app_context():
        number, changed = changes_since(db.session(), seen)
        assert (number, changed) == (seen + 1, {other})
        assert changes_since(db.session(), number) == (number, set())


def test_a_paused_webhooks_clock_stands_still(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), HOOK)

    def switch(state: WebhookState) -> bool:
        return store_of(app).session(
            lambda session: switch_webhook(session, find_webhook(session, webhook), state)
        )

    assert switch(WebhookState.PAUSED)
    assert not switch(WebhookState.PAUSED)
    (row,) = rows(app, "SELECT paused_at, paused_ms FROM webhooks")
    earlier = update(Webhook).values(paused_at=from_ms(row.paused_at - 60_000))
    store_of(app).run(lambda connection: connection.execute(earlier) and None)
    assert switch(WebhookState.ACTIVE)
    (row,) = rows(app, "SELECT paused_at, paused_ms FROM webhooks")
    assert row.paused_at is None
    assert 60_000 <= row.paused_ms < 70_000


def test_a_database_that_cannot_be_opened_is_one_sentence_without_its_address(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'missing' / 'canary.sqlite'}"
    with application(url, tmp_path) as app, app.app_context():
        with pytest.raises(SystemExit) as stopped:
            flask_migrate.upgrade()
        assert "cannot be opened" in str(stopped.value)
        assert "canary" not in str(stopped.value)
