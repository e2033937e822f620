from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from tests.cli.conftest import Run
from tests.engine.processes.playing import process
from tests.support import application as world
from tests.support.application import KEYS, make_company
from tests.web.support.sockets import owner as owner_of_all

ROOT = Path(__file__).parent.parent.parent
# Prints what `flask status` prints, and the modules that it imported.
IMPORTED = """
import runpy, sys
sys.argv = ["flask", "status"]
try:
    runpy.run_module("flask", run_name="__main__")
finally:
    print(*sys.modules, sep="\\n")
"""
# What is printed where nothing is: no company, no process, no owner of the only share.
NOTHING = {"companies": [], "processes": [], "shares_without_owner": [0]}
NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def execute(app: Flask, *statements: str) -> None:
    def job(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    world.store_of(app).run(job)


def own(app: Flask, *, fence: int = 3, ago_ms: int = 0) -> None:
    """Store an owner with this fence, whose last heartbeat is so old."""
    owner_of_all(app, ago_ms, fence=fence)
    execute(app, "UPDATE leases SET holder = 'test'")


def connected(app: Flask, *, fence: int = 3) -> None:
    execute(
        app,
        "UPDATE connections SET state = 'connected', reason = 'accepted',"
        f" since = 1704067200000, events = 12, fence = {fence}",
    )


def status(run: Run) -> dict[str, Any]:
    (company,) = json.loads(run("status", "--json").stdout)["companies"]
    found: dict[str, Any] = company
    return found


def test_without_companies_the_json_is_an_empty_list(run: Run) -> None:
    assert json.loads(run("status", "--json").stdout) == NOTHING
    assert "no companies yet" in run("status").stdout


def test_the_json_has_exactly_this_shape(run: Run, app: Flask) -> None:
    world.make_webhook(app, make_company(app, connected=True), "http://127.0.0.1:4009/")
    own(app)
    connected(app)
    execute(
        app,
        "UPDATE webhook_health SET created = 20, delivered = 9, refused = 2, expired = 1,"
        " cancelled = 1, simulated = 1, circuit_opened_at = 1, last_error = 'failed_status',"
        " last_error_status = 503",
    )
    assert json.loads(run("status", "--json").stdout) == {
        "companies": [
            {
                "id": "company_1",
                "name": "Empresa",
                "state": "connected",
                "since": "2024-01-01T00:00:00.000Z",
                "reason": "accepted",
                "events": 12,
                "webhooks": [
                    {
                        "id": "webhook_1",
                        "name": "Webhook",
                        "delivered": 9,
                        "waiting": 6,
                        "refused": 2,
                        "expired": 1,
                        "circuit": "open",
                        "last_error": "failed_status 503",
                        "trouble": {
                            "kind": "failing",
                            "since": "1970-01-01T00:00:00.001Z",
                            "cause": "The receiver answered with an error status (503).",
                        },
                    }
                ],
            }
        ],
        "processes": [],
        "shares_without_owner": [],
    }


def test_the_processes_come_first_and_one_without_a_sign_of_life_is_silent(
    run: Run, app: Flask
) -> None:
    own(app)
    process(app, "test", "owner")
    process(app, "other", "standby", host="relay-2", ago_ms=60_000, memory_bytes=None)
    lines = run("status").stdout.splitlines()
    assert lines[0].startswith("process 4321 on relay-1: owner since ")
    assert lines[0].endswith("ago, 1234.5 events/s, 1200.0 deliveries/s, 11 sockets.")
    assert lines[1].startswith("process 4321 on relay-2: silent since ")
    first, second = json.loads(run("status", "--json").stdout)["processes"]
    assert (first["role"], first["version"], first["core_share"]) == ("owner", "1.0", 0.456)
    assert (second["role"], second["memory_bytes"]) == ("silent", None)


def test_a_webhook_in_trouble_says_its_cause_first(run: Run, app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    execute(
        app,
        "UPDATE webhook_health SET created = 20, delivered = 9, refusing_since = 1704067200000,"
        f" refusing_last_at = {NOW}, first_attempts = 15, first_refused = 5,"
        " last_error = 'refused_status', last_error_status = 422",
    )
    trouble = status(run)["webhooks"][0]["trouble"]
    assert (trouble["kind"], trouble["share"]) == ("refusing", 0.33)
    line = run("status").stdout.splitlines()[1]
    assert line.startswith(
        "  webhook_1 Webhook: refusing since 2024-01-01T00:00:00.000Z: 33 % of the events do not"
        " get through (422). The receiver refused the event with a 4xx status. 9 delivered"
    )


def test_a_paused_webhook_says_so(run: Run, app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    assert "state" not in status(run)["webhooks"][0]
    run("webhook", "pause", "1")
    assert status(run)["webhooks"][0]["state"] == "paused"
    assert "paused, 0 delivered" in run("status").stdout


@pytest.mark.parametrize(("wished", "state"), [(True, "connecting"), (False, "disconnected")])
@pytest.mark.parametrize("owner", ["none", "silent", "another"])
def test_nothing_is_connected_without_its_owners_fresh_heartbeat(
    owner: str, wished: bool, state: str, run: Run, app: Flask
) -> None:
    make_company(app, connected=wished)
    connected(app)
    if owner == "silent":
        own(app, ago_ms=11_000)
    elif owner == "another":
        own(app, fence=4)
    assert (status(run)["state"], status(run)["reason"]) == (state, "owner_gone")


def test_a_company_that_nobody_connected_needs_no_owner_to_be_disconnected(
    run: Run, app: Flask
) -> None:
    make_company(app)
    assert (status(run)["state"], status(run)["reason"]) == ("disconnected", "not_wished")
    own(app)
    run("company", "connect", "1")
    assert (status(run)["state"], status(run)["reason"]) == ("connecting", "wished")


def test_the_text_has_a_line_for_each_company_and_an_indented_one_for_each_webhook(
    run: Run, app: Flask
) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    first, second = run("status").stdout.splitlines()
    assert first.startswith("company_1 Empresa: disconnected since ")
    assert second.startswith("  webhook_1 Webhook: 0 delivered, 0 waiting")


def test_deleted_companies_and_webhooks_are_not_shown(run: Run, app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    run("webhook", "delete", "1", "--yes")
    assert status(run)["webhooks"] == []
    run("company", "delete", "1", "--yes")
    assert json.loads(run("status", "--json").stdout) == NOTHING


def test_no_row_that_grows_with_the_traffic_is_read(run: Run, app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    execute(app, "DROP TABLE events", "DROP TABLE deliveries", "DROP TABLE attempts")
    assert status(run)["webhooks"][0]["waiting"] == 0


@pytest.mark.slow
def test_status_imports_no_pages_no_migrations_and_no_other_command(sqlite_url: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=ROOT,
        env={**os.environ, **KEYS, "DATABASE_URL": sqlite_url},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    first, *modules = run.stdout.splitlines()
    assert first.startswith("There are no companies yet")
    rooms = {tuple(name.split(".")[:2]) for name in modules}
    for name in ("alembic", "argon2", "flask_login", "flask_wtf", "phonenumbers", "psycopg"):
        assert (name,) not in {room[:1] for room in rooms}, name
    for name in ("requests", "socketio", "uvicorn", "prometheus_client"):
        assert (name,) not in {room[:1] for room in rooms}, name
    for name in ("alerts", "demo", "delivery", "listener", "maintenance", "simulator", "web"):
        imported = [each for each in modules if each.startswith(f"webhookproxy.{name}.")]
        assert imported in ([], ["webhookproxy.maintenance.keycheck"]), imported
    tables = [each for each in modules if each.startswith("webhookproxy.models.")]
    assert not any(".accounts" in each or ".alerts" in each for each in tables), tables
    assert {each for each in modules if each.startswith("webhookproxy.cli.")} == {
        "webhookproxy.cli.shared",
        *(f"webhookproxy.cli.shared.{each}" for each in ("errors", "lazy", "output")),
        "webhookproxy.cli.status",
    }
