"""The description holds: every answer of a running server is one that it names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from tests.support.application import application, make_company, make_webhook, rows, store_of
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from tests.web.support.addresses import make_addresses
from webhookproxy.models.accounts.api_tokens import Scope, make_api_token
from webhookproxy.models.accounts.people import create_user

ROOT = Path(__file__).parents[2]
EXAMPLES = 15
# The rows that exist; other ids are made up.
CONFIG = """
[parameters]
"path.company" = "company_1"
"path.webhook" = "webhook_1"
"path.delivery" = "delivery_1"
"path.resend" = "resend_1"
"path.event" = "evt_1"
"query.cursor" = ""

# The others need theirs until the end.
[[operations]]
include-name = "DELETE /api/v1/companies/{company}"
[operations.parameters]
"path.company" = "company_2"

[[operations]]
include-name = "DELETE /api/v1/webhooks/{webhook}"
[operations.parameters]
"path.webhook" = "webhook_2"
"""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,negative_data_rejection,"
    "unsupported_method,ignored_auth"
)


def filled(app: Flask, url: str) -> str:
    """Make a disconnected company with a webhook and an event; return an administrator's token."""
    company = make_company(app)
    make_addresses(app, company, make_webhook(app, company, url, secret="canary-secret-0001"))
    make_webhook(app, company, url)
    make_company(app, token="canary-token-of-the-company-0002")

    def job(session: object) -> str:
        user = create_user(session, "ana@exemplo.com.br", "x", admin=True)  # type: ignore[arg-type]
        return make_api_token(session, user, "schemathesis", tuple(Scope), 1)[1]  # type: ignore[arg-type]

    return store_of(app).session(job)


def ask_everything(port: int, token: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask every operation, with what its description allows and what it does not."""
    program = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()")
    options = {
        "--header": f"Authorization: Bearer {token}",
        "--checks": CHECKS,
        "--phases": "fuzzing",
        "--max-examples": str(EXAMPLES),
        "--seed": "1",
        "--generation-database": "none",
    }
    return subprocess.run(
        [
            *(*program, "run", f"http://127.0.0.1:{port}/api/v1/openapi.json"),
            *("--no-color", "--continue-on-failure"),
            *("--exclude-operation-id", "follow_events"),  # its answer does not end
            *(word for option in options.items() for word in option),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
    )


def blocks(kind: str) -> list[str]:
    """Return the blocks of the page for programs that are in this language."""
    text = (ROOT / "docs/uso/api.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def printed(command: list[str], known: dict[str, str]) -> str:
    """Return what a command prints, which must succeed."""
    done = subprocess.run(command, capture_output=True, timeout=120, env=known, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.slow
def test_what_the_page_for_programs_shows_works(sqlite_url: str, tmp_path: Path) -> None:
    with Receiver() as receiver:
        with application(sqlite_url, tmp_path) as app:
            token = filled(app, receiver.url())
        with ServerProcess(sqlite_url, tmp_path, API_REQUESTS_PER_SECOND="1000") as server:
            address = f"http://127.0.0.1:{server.port}"
            known = {**os.environ, "SERVIDOR": address, "TOKEN": token}
            for block in blocks("sh"):
                assert printed(["sh", "-euc", block], known)
            program = [sys.executable, "-c", *blocks("python")]
            companies = ["company_1 Empresa disconnected", "company_2 Empresa disconnected"]
            assert printed(program, known).splitlines() == companies
        assert "call-was-connected" in {
            each.headers["x-webhook-event"] for each in receiver.requests
        }


@pytest.mark.slow
def test_no_answer_is_undescribed_and_none_is_an_error(sqlite_url: str, tmp_path: Path) -> None:
    with Receiver() as receiver:
        with application(sqlite_url, tmp_path) as app:
            token = filled(app, receiver.url())
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        with ServerProcess(sqlite_url, tmp_path, API_REQUESTS_PER_SECOND="1000") as server:
            done = ask_everything(server.port, token, tmp_path)
            assert done.returncode == 0, done.stdout[-20_000:]
            assert "Traceback" not in server.output
        with application(sqlite_url, tmp_path) as app:
            for table in ("companies", "webhooks"):
                kept = f"SELECT id FROM {table} WHERE id = 1 AND deleted_at IS NULL"
                assert rows(app, kept) == [(1,)]
