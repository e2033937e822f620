"""An audit entry is committed with its change, found, never changed, and purged in time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.delivery.lanes_world import Sending, sending
from tests.support.application import store_of, wait_until
from tests.support.receiver import Receiver
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.housekeeping import steps as housekeeping
from webhookproxy.models.audit import (
    CLI,
    Action,
    Actor,
    Entries,
    find_entries,
    record,
    record_edit,
)
from webhookproxy.rules.companies import CompanyInput
from webhookproxy.rules.webhooks import WebhookInput
from webhookproxy.web.admin.audit_words import detail_words

PACKAGE = Path(__file__).resolve().parents[2] / "webhookproxy"
ANA = Actor(1, "ana@example.com", "203.0.113.9")
DAY_MS = 86_400_000


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def note(app: Flask, actor: Actor = ANA, action: Action = Action.LOGIN, **about: object) -> None:
    store_of(app).session(lambda session: record(session, actor, action, **about))  # type: ignore[arg-type]


def back_date(app: Flask, days: float, action: Action = Action.LOGIN) -> None:
    """Add an old entry, which only a test can do."""
    at = round((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000)
    statement = text(
        "INSERT INTO audit (at, who, action, subject, address, detail)"
        " VALUES (:at, 'cli', :action, '', '', '')"
    )
    values = {"at": at, "action": action.value}
    store_of(app).run(lambda connection: connection.execute(statement, values) and None)


def entries(app: Flask, **filters: object) -> Entries:
    with app.app_context():
        found = find_entries(db.session(), **filters)  # type: ignore[arg-type]
        db.session.expunge_all()
    return found


def actions(app: Flask, **filters: object) -> list[str]:
    return [each.action for each in entries(app, **filters).entries]


def test_an_entry_says_who_did_what_when_and_from_where(app: Flask) -> None:
    note(app, action=Action.PAYLOAD_VIEWED, company_id=7, subject="evt_1", detail="two fields")
    (entry,) = entries(app).entries
    assert (entry.user_id, entry.who, entry.address) == (1, "ana@example.com", "203.0.113.9")
    assert (entry.action, entry.company_id, entry.subject) == ("payload_viewed", 7, "evt_1")
    assert entry.detail == "two fields"
    assert datetime.now(UTC) - entry.at < timedelta(minutes=1)


def test_an_entry_is_undone_with_the_change_it_belongs_to(app: Flask) -> None:
    def job(session: Session) -> None:
        record(session, ANA, Action.WEBHOOK_DELETED)
        raise ValueError("the change failed")

    with pytest.raises(ValueError, match="the change failed"):
        store_of(app).session(job)
    assert actions(app) == []


def test_no_text_begins_a_line_of_its_own_or_is_too_long(app: Flask) -> None:
    actor = Actor(1, "a@b.c\r\n2026 cli login", "x\n" * 100)
    note(app, actor, Action.LOGIN_REFUSED, subject="s\0" * 99, detail="d\u2028" * 999)
    (entry,) = entries(app).entries
    texts = (entry.who, entry.address, entry.subject, entry.detail)
    assert all(each.isprintable() for each in texts)
    assert entry.who == "a@b.c\\r\\n2026 cli login"
    assert [len(each) for each in texts[1:]] == [64, 64, 500]


def test_a_number_typed_as_an_email_is_not_kept_for_ever(app: Flask) -> None:
    for typed in ("123.456.789-09", "+55 (11) 98765-4321", "5511987654321", "55 11987654321@x.com"):
        note(app, Actor(None, typed), Action.LOGIN_REFUSED)
    kept = {each.who for each in entries(app).entries}
    assert not re.search(r"\d{3}", "".join(kept))


def test_a_password_typed_as_an_email_is_not_kept_and_nobody_passes_for_a_program(
    app: Flask,
) -> None:
    typed = ("canary-password", "canary@password", "cli", "server", "", "eva@example.com")
    for each in typed:
        note(app, Actor(None, each, "203.0.113.9"), Action.LOGIN_REFUSED)
    kept = [each.who for each in entries(app).entries]
    assert kept == ["eva@example.com", "", "", "", "", ""]


def test_entries_are_filtered_by_person_action_company_and_period(app: Flask) -> None:
    back_date(app, 10, Action.CONNECT)
    note(app, CLI, Action.COMPANY_CREATED, company_id=1)
    note(app, ANA, Action.COMPANY_CHANGED, company_id=1)
    note(app, ANA, Action.COMPANY_CHANGED, company_id=2)
    assert actions(app, who="ana@example.com") == ["company_changed"] * 2
    assert actions(app, who="cli") == ["company_created", "connect"]
    assert actions(app, action=Action.COMPANY_CREATED) == ["company_created"]
    assert actions(app, company_id=1) == ["company_changed", "company_created"]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert actions(app, until=yesterday) == ["connect"]
    assert len(actions(app, since=yesterday)) == 3
    assert actions(app, since=yesterday, who="cli", company_id=1) == ["company_created"]


def test_pages_follow_each_other_without_a_gap_while_entries_are_added(app: Flask) -> None:
    for number in range(6):
        note(app, subject=f"webhook_{number}")
    first = entries(app, limit=3)
    note(app, subject="webhook_6")
    second = entries(app, limit=3, before=first.more)
    found = [each.subject for page in (first, second) for each in page.entries]
    assert found == [f"webhook_{number}" for number in (5, 4, 3, 2, 1, 0)]
    assert second.more is None


def test_the_database_refuses_to_change_an_entry_or_to_forget_a_young_one(app: Flask) -> None:
    note(app)
    back_date(app, 29)
    for statement in (
        "UPDATE audit SET who = 'another'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE who = 'cli'",
    ):
        with pytest.raises(IntegrityError, match="audit entries are"):
            store_of(app).run(
                lambda connection, sql=statement: connection.execute(text(sql)) and None  # type: ignore[misc]
            )
    assert len(entries(app).entries) == 2


def test_no_code_changes_an_entry() -> None:
    statements = re.compile(r"UPDATE audit|update\(AuditEntry|DELETE FROM audit\b", re.IGNORECASE)
    found = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if "migrations" not in path.parts and statements.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.fixture
def half(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    monkeypatch.setattr(housekeeping, "BATCH", 4)
    with sending(app) as half:
        yield half


def test_entries_past_their_time_are_purged_in_batches(half: Sending) -> None:
    for _ in range(10):
        back_date(half.app, 366)
    back_date(half.app, 364)
    note(half.app)
    assert half.housekeeping.step()
    assert len(entries(half.app).entries) == 8
    while half.housekeeping.step():
        pass
    assert len(entries(half.app).entries) == 2


def test_a_webhook_that_the_server_paused_says_so(half: Sending) -> None:
    with Receiver((410, {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        half.arrive(1)
        wait_until(lambda: actions(half.app), 20, "the pause is recorded")
    (entry,) = entries(half.app).entries
    assert (entry.who, entry.action, entry.detail) == ("server", "webhook_paused", "gone")
    assert (entry.company_id, entry.subject) == (half.company, f"webhook_{webhook}")


def test_an_edit_names_its_fields_its_secrets_and_its_hosts_but_no_secret(app: Flask) -> None:
    before = WebhookInput("a", "https://one.example/x?key=canary", secret="canary-1")
    after = WebhookInput("b", "https://two.example/y?key=canary", secret="canary-2")

    def job(session: Session) -> None:
        about = {"company_id": 3, "subject": "webhook_9"}
        record_edit(session, ANA, Action.WEBHOOK_CHANGED, before, after, **about)  # type: ignore[arg-type]
        record_edit(session, ANA, Action.WEBHOOK_CHANGED, after, after, **about)  # type: ignore[arg-type]

    store_of(app).session(job)
    found = [(each.action, each.detail) for each in reversed(entries(app).entries)]
    assert found == [
        ("webhook_changed", "name url secret | a -> b"),
        ("secret_set", "secret"),
        ("host_changed", "one.example -> two.example"),
        ("webhook_changed", ""),
    ]


def test_an_edit_of_filters_says_so_and_not_what_they_ask(app: Flask) -> None:
    before = WebhookInput("a", "https://one.example/")
    condition = Condition("call.phone", Operator.EQUAL, "canary-5511987654321")
    after = replace(before, filters={"call-ended": (condition,)})
    store_of(app).session(
        lambda session: record_edit(
            session, ANA, Action.WEBHOOK_CHANGED, before, after, company_id=3, subject="webhook_9"
        )
    )
    (entry,) = entries(app).entries
    assert (entry.detail, detail_words(entry)) == ("filters", "filtros")


def test_a_new_token_of_a_company_is_a_secret_that_was_set(app: Flask) -> None:
    old = CompanyInput("a", "canary-1", "https://one.example/")
    new = CompanyInput("a", "canary-2", "https://one.example/")
    store_of(app).session(
        lambda session: record_edit(
            session, ANA, Action.COMPANY_CHANGED, old, new, company_id=3, subject="company_3"
        )
    )
    assert [each.detail for each in entries(app).entries] == ["token", "token"]
