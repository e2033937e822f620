from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from flask import Flask

from tests.cli.conftest import Run
from tests.support.application import rows
from webhookproxy.cli.relay import config

HOOK = "http://127.0.0.1:4001/"
FILE = f"""
version: 1
companies:
  acme:
    token: env:WEBHOOKPROXY_SECRET_ACME
    webhooks:
      crm: {{url: "{HOOK}", secret: "file:crm", events: [call-was-conected]}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of one company and one webhook, and its secrets."""
    monkeypatch.setenv("WEBHOOKPROXY_SECRET_ACME", "canary-token-of-acme")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/crm").write_text("canary-secret-of-crm\n")
    path = tmp_path / "webhookproxy.yaml"
    path.write_text(FILE)
    return path


def outcome(app: Flask, *words: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = app.test_cli_runner().invoke(args=list(words), input=stdin)
    assert "canary" not in result.output
    return result.exit_code, result.stdout, result.stderr


def test_a_file_is_compared_applied_and_exported(app: Flask, run: Run, file: Path) -> None:
    there = (str(file), "--secrets", str(file.parent / "secrets"))
    would = f"+ company acme\n+ webhook acme/crm: {HOOK}\n"
    assert outcome(app, "config", "diff", *there) == (1, would, "")
    assert outcome(app, "config", "apply", *there, "--dry-run") == (0, would, "")
    assert rows(app, "SELECT COUNT(*) FROM companies") == [(0,)]
    done = run("config", "apply", *there)
    assert done.stdout == f"+ company acme (company_1)\n+ webhook acme/crm (webhook_1): {HOOK}\n"
    assert done.stderr == (
        "Note: call-was-conected is not in the catalogue of 3C Plus events; do you mean "
        "call-was-connected?\n"
    )
    nothing = "Nothing to change: everything is as the file says.\n"
    assert outcome(app, "config", "diff", *there) == (0, nothing, "")
    assert outcome(app, "config", "apply", *there)[:2] == (0, nothing)
    text = run("config", "export").stdout
    assert yaml.safe_load(text)["companies"]["acme"]["webhooks"]["crm"]["secret"] == "stored"
    assert outcome(app, "config", "diff", "-", stdin=text) == (0, nothing, "")


def test_each_mistake_has_a_line_with_its_path(app: Flask, file: Path) -> None:
    file.write_text(FILE.replace("url:", "urls:").replace("acme:", "acme:\n    timezone: Marte"))
    code, stdout, stderr = outcome(app, "config", "apply", str(file))
    assert (code, stdout) == (2, "")
    assert stderr.splitlines() == [
        "companies.acme.webhooks.crm.urls: There is no such field here: do you mean url?",
        f"Error: {file} has 1 mistake: nothing was changed.",
    ]
    file.write_text(FILE.replace("acme:", "acme:\n    timezone: Marte"))
    code, stdout, stderr = outcome(app, "config", "diff", str(file))
    assert (code, stdout) == (2, "")
    assert [line.split(":")[0] for line in stderr.splitlines()] == [
        "companies.acme.webhooks.crm.secret",
        "Error",
    ]
    assert outcome(app, "config", "diff", str(file.parent / "none"))[2].endswith(
        "none cannot be read: No such file or directory.\n"
    )


def test_what_left_the_file_is_deleted_after_a_question(
    app: Flask, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("config", "apply", str(file), "--secrets", str(file.parent / "secrets"))
    file.write_text("version: 1\ncompanies: {acme: {webhooks: {}}}\n")
    left = "? webhook acme/crm (webhook_1): --prune deletes it\n"
    assert outcome(app, "config", "diff", str(file))[:2] == (
        0,
        f"{left}Nothing to change: everything is as the file says.\n",
    )
    code, _, stderr = outcome(app, "config", "apply", str(file), "--prune")
    assert code == 2
    assert "repeat the command with --yes" in stderr
    gone = "- webhook acme/crm (webhook_1)\n"
    assert outcome(app, "config", "apply", str(file), "--prune", "--dry-run")[:2] == (0, gone)
    monkeypatch.setattr(config, "on_terminal", lambda: True)
    code, _, stderr = outcome(app, "config", "apply", str(file), "--prune", stdin="n\n")
    assert (code, stderr.splitlines()[-1]) == (2, "Error: Nothing was changed.")
    assert rows(app, "SELECT deleted_at FROM webhooks") == [(None,)]
    code, stdout, _ = outcome(app, "config", "apply", str(file), "--prune", stdin="y\n")
    assert (code, stdout) == (0, gone)
    assert rows(app, "SELECT COUNT(*) FROM webhooks WHERE deleted_at IS NULL") == [(0,)]


def test_what_is_released_is_left_alone(app: Flask, run: Run, file: Path) -> None:
    there = (str(file), "--secrets", str(file.parent / "secrets"))
    run("config", "apply", *there)
    assert run("config", "release", "acme/crm").stdout == "acme/crm is managed by no file now.\n"
    file.write_text("version: 1\ncompanies: {acme: {webhooks: {}}}\n")
    run("config", "apply", str(file), "--prune", "--yes")
    assert rows(app, "SELECT file_key, deleted_at FROM webhooks") == [(None, None)]
    run("config", "release", "acme")
    assert rows(app, "SELECT file_key FROM companies") == [(None,)]
    assert outcome(app, "config", "release", "acme")[0] == 2


def test_the_schema_is_json(run: Run) -> None:
    assert json.loads(run("config", "schema").stdout)["title"] == "webhookproxy.yaml"
