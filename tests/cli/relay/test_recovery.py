"""`flask company recover` counts what is missing, and has it recovered."""

from __future__ import annotations

import time

import gevent
import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support.application import make_company, rows
from tests.web.support.sockets import execute, owner
from webhookproxy.cli.relay import recovery

SINCE = ("--since", "2020-01-01T08:00")


@pytest.fixture(autouse=True)
def company(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "LOOK_SECONDS", 0.01)
    make_company(app)
    execute(
        app,
        "INSERT INTO hourly_events (company_id, hour, name, count) VALUES (1, :hour, 'x', 1)",
        hour=int(time.time() // 3600) - 48,
    )


def server(app: Flask, *changes: str) -> gevent.Greenlet[..., None]:
    """Change the row of a recovery as a running server does, one change after the other."""

    def run() -> None:
        for change in changes:
            before, _, after = change.partition(" -> ")
            while not rows(app, f"SELECT 1 FROM recoveries WHERE state = '{before}'"):
                gevent.sleep(0.01)
            execute(app, f"UPDATE recoveries SET {after}")

    return gevent.spawn(run)


COUNTED = "counting -> state = 'counted', missing = 3, listed = 5"


def test_without_a_server_no_one_is_asked(refuse: Refuse) -> None:
    said = refuse("company", "recover", "1", *SINCE)
    assert said == "No server is running: it is the one that asks 3C Plus. Start it first."
    assert "is no time" in refuse("company", "recover", "1", "--since", "ontem")


def test_a_dry_run_only_counts(app: Flask, run: Run) -> None:
    owner(app)
    running = server(app, COUNTED)
    result = run("company", "recover", "1", *SINCE, "--dry-run")
    running.join(1)
    assert result.stdout == "3 of 5 calls are missing.\n"
    assert rows(app, "SELECT state FROM recoveries")[0].state == "counted"


def test_what_was_counted_is_recovered(app: Flask, run: Run) -> None:
    owner(app)
    running = server(app, COUNTED, "running -> state = 'finished', recovered = 3")
    result = run("company", "recover", "1", *SINCE, "--yes")
    running.join(1)
    assert result.stdout == "3 of 5 calls are missing.\n3 calls are recovered.\n"


def test_a_refused_token_is_said(app: Flask, refuse: Refuse) -> None:
    owner(app)
    running = server(app, "counting -> state = 'stopped', trouble = 'forbidden'")
    said = refuse("company", "recover", "1", *SINCE)
    running.join(1)
    assert said == "It was given up. The token's role may not list calls (403)."
