from __future__ import annotations

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from webhookproxy.events.contract import whsec

SECRET = "canary-signing-secret-0001"
WORDS = ("webhook", "rotate-secret", "webhook_1")


@pytest.fixture(autouse=True)
def webhook(app: Flask) -> int:
    company = world.make_company(app)
    return world.make_webhook(app, company, "http://127.0.0.1:4009/", secret=SECRET)


def test_a_new_secret_is_printed_once_alone_on_its_line(run: Run) -> None:
    result = run(*WORDS)
    made = result.stdout.removesuffix("\n")
    assert len(made) == 43
    assert whsec(made) in result.stderr
    assert "24 hours" in result.stderr
    assert "--finish" in result.stderr
    shown = run("webhook", "list", "1").output
    assert made not in shown


def test_a_secret_that_was_given_is_not_shown_again(run: Run) -> None:
    result = run(*WORDS, "--secret", "-", stdin="canary-given\n")
    assert result.stdout == ""
    assert "canary" not in result.output


def test_finishing_says_when_it_was_so_already(run: Run) -> None:
    run(*WORDS)
    assert run(*WORDS, "--finish").stdout == "webhook_1 now signs with one secret.\n"
    assert run(*WORDS, "--finish").stdout == "webhook_1 signed already with one secret.\n"


def test_a_rotation_leaves_its_entries_without_the_secret(run: Run, app: Flask) -> None:
    made = run(*WORDS).stdout.strip()
    run(*WORDS, "--finish")
    run(*WORDS, "--finish")
    found = world.rows(app, "SELECT action, subject, detail, company_id FROM audit ORDER BY id")
    assert [tuple(row) for row in found] == [
        ("secret_rotated", "webhook_1", "", 1),
        ("secret_rotated", "webhook_1", "finished", 1),
    ]
    assert made not in str(found)


def test_what_cannot_be_is_a_sentence(run: Run, refuse: Refuse) -> None:
    assert "contradict" in refuse(*WORDS, "--finish", "--secret", "canary")
    assert "in use already" in refuse(*WORDS, "--secret", SECRET)
    assert "There is no webhook_9" in refuse("webhook", "rotate-secret", "9")
    run("webhook", "edit", "1", "--secret", "")
    assert "no secret to replace" in refuse(*WORDS)
