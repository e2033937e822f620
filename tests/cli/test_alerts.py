from __future__ import annotations

import json

from flask import Flask
from sqlalchemy import text

from tests.cli.conftest import Refuse, Run
from tests.support.application import make_company, rows

SLACK = "https://hooks.slack.com/services/T0/B0/canary-slack"
PASSWORD = "a long enough password"


def test_an_address_is_added_listed_without_its_secret_and_removed(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    run("user", "create", "ana@example.com", "--password-stdin", stdin=PASSWORD)
    assert "has no address" in run("alerts", "addresses", "ana@example.com").stdout
    assert (
        run("alerts", "add", "ana@example.com", "slack", "-", stdin=SLACK).stdout == "address_1\n"
    )
    added = run("alerts", "add", "ana@example.com", "webhook", "http://127.0.0.1:9999/n8n").stdout
    assert added.startswith("address_2\nwhsec_")
    listed = run("alerts", "addresses", "ana@example.com", "--json").stdout
    assert "canary-slack" not in listed
    assert "whsec_" not in listed
    assert [(each["id"], each["confirmed"]) for each in json.loads(listed)] == [
        ("address_1", False),
        ("address_2", False),
    ]
    assert "begins with https://hooks.slack.com" in refuse(
        "alerts", "add", "ana@example.com", "slack", "https://example.com/x"
    )
    assert "not confirmed" in refuse("alerts", "test", "address_1")
    rows_before = len(rows(app, "SELECT 1 FROM alert_messages WHERE kind = 'test'"))
    app.extensions["store"].run(_confirm_all)
    assert "on its way" in run("alerts", "test", "1").stdout
    assert len(rows(app, "SELECT 1 FROM alert_messages WHERE kind = 'test'")) == rows_before + 1
    assert run("alerts", "remove", "address_1").stdout == "address_1 is removed.\n"
    assert "no address 1" in refuse("alerts", "remove", "address_1")
    audited = rows(app, "SELECT action, subject FROM audit WHERE action LIKE 'alert%' ORDER BY id")
    assert [tuple(each) for each in audited] == [
        ("alert_address_added", "address_1"),
        ("alert_address_added", "address_2"),
        ("alert_address_removed", "address_1"),
    ]


def test_what_a_user_is_told_of_is_chosen(run: Run, refuse: Refuse, app: Flask) -> None:
    run("user", "create", "ana@example.com", "--password-stdin", stdin=PASSWORD)
    company = make_company(app)
    watch = ("alerts", "watch", "ana@example.com", "silence")
    assert run(*watch, "on", "--minutes", "15").stdout == "ana@example.com: silence is on.\n"
    said = run(*watch, "off", "--company", f"company_{company}").stdout
    assert said == "ana@example.com: silence of company_1 is off.\n"
    stored = "SELECT company_id, is_on, minutes FROM alert_watches ORDER BY id"
    assert [tuple(each) for each in rows(app, stored)] == [(None, 1, 15), (1, 0, None)]
    run(*watch, "usual")
    assert len(rows(app, stored)) == 1
    refuse(*watch, "on", "--minutes", "1441")
    refuse(*watch, "on", "--company", "company_9")
    said = refuse("alerts", "watch", "ana@example.com", "disk_full", "off", "--company", "1")
    assert "whole installation" in said


def test_what_is_wrong_is_listed(run: Run, app: Flask) -> None:
    assert run("alerts", "list").stdout == "Nothing is wrong.\n"
    company = make_company(app)
    statement = (
        "INSERT INTO alerts (condition, company_id, since, opened_at) VALUES"
        f" ('connection_lost', {company}, 1795600000000, 1795600000000)"
    )
    app.extensions["store"].run(lambda c: c.execute(text(statement)) and None)
    (found,) = json.loads(run("alerts", "list", "--json").stdout)
    assert (found["condition"], found["company"]) == ("connection_lost", "company_1")


def _confirm_all(connection: object) -> None:
    connection.execute(text("UPDATE alert_addresses SET confirmed_at = 1"))  # type: ignore[attr-defined]
