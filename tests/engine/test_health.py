"""/saude: the facts that a monitor needs, without names."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.application import TOKEN, application, make_company, make_webhook
from tests.web.support.sockets import execute, owner
from webhookproxy.database.fence import SHARDS
from webhookproxy.engine.health import Health

WELL = Health(
    shards=SHARDS, storing=True, sockets_wished=1, sockets_connected=1, buffered=3, loop_lag_ms=2
)


class FakeEngine:
    """An engine whose health a test sets."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def health(self) -> Health:
        return self._health


def ask(app: Flask, health: Health | None = WELL) -> tuple[int, dict[str, Any]]:
    """Return status and facts of a process whose engine has this health."""
    if health is not None:
        app.extensions["engine"] = FakeEngine(health)
    answer = app.test_client().get("/saude")
    return answer.status_code, json.loads(answer.data)


def test_an_owner_that_stores_is_well(app: Flask) -> None:
    owner(app)
    status, facts = ask(app)
    assert facts.pop("owner_seen_ms") < 60_000
    disk = facts.pop("disk")
    assert (disk["alarm"], disk["reason"], disk["limit_bytes"]) == (False, "enough", 0)
    assert 0 < disk["data_bytes"] < disk["free_bytes"]
    assert (status, facts) == (
        200,
        {
            "storing": True,
            "storing_reason": "storing",
            "owner": True,
            "buffered_events": 3,
            "loop_lag_ms": 2,
            "sockets": {"wished": 1, "connected": 1},
            "waiting_deliveries": 0,
            "oldest_waiting_seconds": None,
            "backup_age_seconds": None,
        },
    )


def test_the_age_of_the_last_backup_is_told_once_there_is_one(app: Flask, tmp_path: Path) -> None:
    owner(app)
    execute(
        app,
        "INSERT INTO audit (at, who, action, subject, address, detail)"
        " VALUES (:at, 'cli', 'backup_made', '', '', '')",
        at=round((time.time() - 90_000) * 1000),
    )
    assert 89_000 < ask(app)[1]["backup_age_seconds"] < 91_000
    made = app.test_cli_runner().invoke(args=["backup", str(tmp_path / "backup.sqlite")])
    assert made.exit_code == 0
    _, facts = ask(app)
    assert 0 <= facts["backup_age_seconds"] < 60


def test_nobody_stores_where_no_owner_was_heard_of_for_long(app: Flask) -> None:
    owner(app, 11_000)
    status, facts = ask(app, replace(WELL, shards=0))
    assert (status, facts["storing"]) == (503, False)


def test_a_process_that_only_waits_is_well_too(app: Flask) -> None:
    owner(app)
    status, facts = ask(app, replace(WELL, shards=0))
    assert (status, facts["owner"]) == (200, False)


def test_a_process_that_cannot_store_is_unwell(app: Flask) -> None:
    owner(app)
    status, facts = ask(app, replace(WELL, storing=False))
    assert (status, facts["storing"]) == (503, False)


def test_a_process_without_an_engine_is_unwell(app: Flask) -> None:
    status, facts = ask(app, None)
    assert (status, facts["storing"], facts["owner"]) == (503, False, False)


def test_a_database_without_tables_is_unwell(tmp_path: Path) -> None:
    with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
        status, facts = ask(app)
    assert (status, facts["storing"]) == (503, False)


@pytest.mark.parametrize(("age_ms", "connected"), [(0, 1), (11_000, 0)])
def test_a_socket_counts_as_connected_only_while_its_owner_says_that_it_lives(
    app: Flask, age_ms: int, connected: int
) -> None:
    make_company(app, connected=True)
    execute(app, "UPDATE connections SET state = 'connected', fence = 7")
    owner(app, age_ms)
    _, facts = ask(app, replace(WELL, shards=0))
    assert facts["sockets"] == {"wished": 1, "connected": connected}
    assert age_ms <= facts["owner_seen_ms"] < age_ms + 5000


def test_what_waits_is_told_by_its_number_and_its_age_and_nothing_by_its_name(app: Flask) -> None:
    company = make_company(app, name="Empresa Canária")
    webhook = make_webhook(app, company, "http://127.0.0.1:4001/canary", secret="canary")
    execute(app, "UPDATE webhook_health SET created = 5, delivered = 2, refused = 1")
    execute(
        app,
        "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
        " token_mask, received_ms, hidden) VALUES (1, 'evt_1', :company, 'x', '{}', '', '', '',"
        " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - 90000, 0)",
        company=company,
    )
    execute(
        app,
        "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
        " attempts, born_ms) VALUES (1, 1, :webhook, '', 'queued', 'waiting_turn', 0, 0, 0)",
        webhook=webhook,
    )
    _, facts = ask(app)
    assert facts["waiting_deliveries"] == 2
    assert 89 < facts["oldest_waiting_seconds"] < 150
    printed = json.dumps(facts, ensure_ascii=False)
    for private in ("anári", "canary", TOKEN, "127.0.0.1"):
        assert private not in printed


@pytest.mark.parametrize("trusted", ["relay.example.com", ".example.com"])
def test_monitors_may_ask_by_any_host_and_for_nothing_else(
    trusted: str, sqlite_url: str, tmp_path: Path
) -> None:
    with application(sqlite_url, tmp_path, TRUSTED_HOSTS=trusted) as app:
        client = app.test_client()
        for host in ("10.1.2.3:5000", "healthcheck.railway.app", "pod-7", "a b"):
            answer = client.get("/saude", headers={"Host": host})
            assert answer.status_code == 503
            assert answer.json is not None
            for page in ("/entrar", "/saude/", "/"):
                assert client.get(page, headers={"Host": host}).status_code == 400
