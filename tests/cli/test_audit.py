"""Every write of a command leaves its entry, and no entry has a secret."""

from __future__ import annotations

from flask import Flask

from tests.cli.conftest import Run
from tests.support import application as world

URL = "http://127.0.0.1:4009/hook"
PASSWORD = "a long enough password"


def actions(app: Flask) -> list[str]:
    found = world.rows(app, "SELECT action, who, subject, detail FROM audit ORDER BY id")
    assert {row.who for row in found} == {"cli"}
    assert "canary" not in str(found)
    return [f"{row.action} {row.subject} {row.detail}".strip() for row in found]


def test_what_is_done_to_companies_and_webhooks_is_recorded(run: Run, app: Flask) -> None:
    run("company", "create", "Empresa", "--token", "canary-token-1")
    run("company", "edit", "1", "--token", "canary-token-2", "--name", "Outra")
    run("company", "connect", "1")
    run("company", "connect", "1")
    run("webhook", "create", "1", "CRM", URL, "--secret", "canary-secret")
    run("webhook", "edit", "1", "--url", "http://127.0.0.2:4009/", "--secret", "canary-other")
    run("webhook", "pause", "1")
    run("webhook", "pause", "1")
    run("webhook", "resume", "1")
    run("webhook", "delete", "1", "--yes")
    run("company", "disconnect", "1")
    run("company", "delete", "1", "--yes")
    assert actions(app) == [
        "company_created company_1",
        "company_changed company_1 name token | Empresa -> Outra",
        "secret_set company_1 token",
        "connect company_1",
        "webhook_created webhook_1",
        "webhook_changed webhook_1 url secret",
        "secret_set webhook_1 secret",
        "host_changed webhook_1 127.0.0.1:4009 -> 127.0.0.2:4009",
        "webhook_paused webhook_1",
        "webhook_resumed webhook_1",
        "webhook_deleted webhook_1",
        "disconnect company_1",
        "company_deleted company_1",
    ]
    companies = world.rows(app, "SELECT DISTINCT company_id FROM audit")
    assert [row[0] for row in companies] == [1]


def test_what_is_done_to_users_is_recorded(run: Run, app: Flask) -> None:
    world.make_company(app)
    run("user", "create", "ana@example.com", "--admin", "--password-stdin", stdin=PASSWORD)
    run("user", "password", "ana@example.com", "--password-stdin", stdin=f"{PASSWORD} canary")
    run("user", "grant", "ana@example.com", "1")
    run("user", "grant", "ana@example.com", "1")
    run("user", "revoke", "ana@example.com", "1")
    run("user", "revoke", "ana@example.com", "1")
    assert actions(app) == [
        "user_created user_1 ana@example.com administrator",
        "password_changed user_1 ana@example.com",
        "user_changed user_1 ana@example.com granted",
        "user_changed user_1 ana@example.com revoked",
    ]
