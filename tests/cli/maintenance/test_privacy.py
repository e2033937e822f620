from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.delivery.lanes_world import Sending, sending
from tests.maintenance.test_privacy import PHONE, SHOWN, arrive
from tests.support import application as world
from webhookproxy.rules.webhooks import WebhookState


@pytest.fixture(autouse=True)
def stored(app: Flask) -> Iterator[Sending]:
    with sending(app) as half:
        half.webhook("http://127.0.0.1:4009/", state=WebhookState.PAUSED, name=PHONE)
        arrive(half, {"phone": SHOWN}, {"phone": "other"})
        yield half


def test_find_counts_and_does_not_show_the_number(run: Run) -> None:
    result = run("privacy", "find", SHOWN)
    assert result.stdout == (
        "It is in 1 events (company_1: 1) and 0 attempts; 1 deliveries of those events wait.\n"
    )
    assert "webhook_1 name" in result.stderr
    assert "98765" not in result.output


def test_find_tells_scripts_the_same_and_takes_the_number_from_standard_input(run: Run) -> None:
    assert json.loads(run("privacy", "find", "-", "--json", stdin=f"{PHONE}\n").stdout) == {
        "companies": {"company_1": 1},
        "attempts": 0,
        "waiting": 1,
        "filtered": 0,
        "names": 0,
        "apart": [],
        "apart_count": 0,
        "comparisons": 0,
        "settings": ["webhook_1 name"],
        "events": 1,
    }


def test_expunge_needs_yes_and_says_what_it_did(run: Run, refuse: Refuse, app: Flask) -> None:
    sentence = refuse("privacy", "expunge", SHOWN)
    assert "--yes" in sentence
    assert "1 events" in sentence
    result = run("privacy", "expunge", SHOWN, "--yes")
    assert result.stdout == (
        "It was masked in 1 events and 0 attempts; 1 waiting deliveries were cancelled.\n"
    )
    assert "webhook_1 name" in result.stderr
    assert "98765" not in result.output + sentence
    payloads = [row[0] for row in world.rows(app, "SELECT payload FROM events ORDER BY id")]
    assert payloads == ['{"phone": "[oculto]"}', '{"phone": "other"}']
    assert run("privacy", "find", PHONE).stdout.startswith("It is in 0 events and")


def test_an_area_code_in_a_field_of_its_own_is_named_for_a_person_to_look_at(
    run: Run, app: Flask, stored: Sending
) -> None:
    arrive(stored, {"ddd": "11", "n": "987654321"})
    event = world.rows(app, "SELECT public_id FROM events ORDER BY id DESC")[0].public_id
    for command in (("find", PHONE), ("expunge", PHONE, "--yes")):
        assert "1 events have the area code" in (left := run("privacy", *command).stderr)
        assert event in left


@pytest.mark.parametrize("typed", ["987654321", "ana@example.com", "119876543210"])
def test_what_is_no_number_is_refused(refuse: Refuse, typed: str) -> None:
    assert typed not in refuse("privacy", "find", typed)
