"""`flask company compare` prints what 3C Plus, this program and each webhook have of a day."""

from __future__ import annotations

import json
from datetime import date

import gevent
import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support.application import make_company, make_webhook, rows
from tests.web.support.sockets import execute, owner
from webhookproxy.cli.relay import recovery
from webhookproxy.database.clock import ms_now
from webhookproxy.events.recovery.comparison import AtWebhook, Call, Compared, Due
from webhookproxy.models.recovery.comparisons import yesterday

HOOK = "http://127.0.0.1:4009/"
# However slow the machine is, the heartbeat of its server is not too old.
LIVES = -3_600_000
STATES = ("delivered", "retrying", "refused")


@pytest.fixture(autouse=True)
def webhook(app: Flask, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return a webhook whose company had events for some days, each with a delivery."""
    monkeypatch.setattr(recovery, "LOOK_SECONDS", 0.01)
    webhook = make_webhook(app, make_company(app), HOOK, name="CRM")
    execute(
        app,
        "INSERT INTO hourly_events (company_id, hour, name, count) VALUES (1, :hour, 'x', 1)",
        hour=ms_now() // 3_600_000 - 72,
    )
    return webhook


def compared(webhook: int) -> Compared:
    """Return what a day's calls became; of those that wait and that failed there is no event."""
    found = Compared(webhooks=[AtWebhook(webhook)])
    dues = [Due(number, webhook, number, state) for number, state in enumerate(STATES, 1)]
    known = {f"call-{number}": number for number in (1, 2, 3, 99)}
    missing = found.take([*known, "lost"], known, {1, 2, 3}, dues)
    found.missing = [Call(each, 1_795_000_000_000) for each in missing]
    return found


def answer(app: Flask, result: str | None, rest: str = "state = 'finished'") -> None:
    """End the comparison as a running server does, once it is asked for."""

    def run() -> None:
        while not rows(app, "SELECT 1 FROM day_comparisons WHERE state = 'running'"):
            gevent.sleep(0.01)
        execute(app, f"UPDATE day_comparisons SET {rest}, result = :result", result=result)

    gevent.spawn(run)


def test_a_day_is_compared_for_people_and_for_scripts(app: Flask, run: Run, webhook: int) -> None:
    owner(app, LIVES)
    day = yesterday().isoformat()
    text = compared(webhook).to_json()
    answer(app, text)
    said = run("company", "compare", "1", "--day", day)
    assert said.stdout.splitlines() == [
        f"{day}: 5 calls at 3C Plus, 4 here, 1 missing, 0 only here.",
        "webhook    name  delivered  waiting  failed  not_sent  kept_back",
        f"webhook_{webhook}  CRM   1          1        1       0         0",
        "",
        "difference        call or event  when or delivery          state",
        "missing here      lost           2026-11-18T11:06:40.000Z  -",
        f"not at webhook_{webhook}  -              delivery_2                -",
        f"not at webhook_{webhook}  -              delivery_3                -",
    ]
    assert said.stderr == "The events of 1 calls are removed: no webhook counts them.\n"
    answer(app, text)
    facts = json.loads(run("company", "compare", "1", "--json").stdout)
    assert facts["company"] == "company_1"
    # Midnight may pass meanwhile.
    assert facts["day"] in (day, yesterday().isoformat())
    counts = [facts[name] for name in ("listed", "here", "missing_count", "purged", "is_cut")]
    assert counts == [5, 4, 1, 1, False]
    (at,) = facts["webhooks"]
    assert (at["id"], at["delivered"], len(at["lacking"])) == (f"webhook_{webhook}", 1, 2)


def test_what_cannot_be_compared_is_said(app: Flask, refuse: Refuse) -> None:
    compare = ("company", "compare", "1", "--day")
    said = refuse(*compare, yesterday().isoformat())
    assert said == "No server is running: it is the one that asks 3C Plus. Start it first."
    owner(app, LIVES)
    assert refuse(*compare, "ontem") == "'ontem' is no day: write it like 2026-12-31."
    for wrong in (date.min, date(2020, 1, 1)):
        assert "more than 30 days ago" in refuse(*compare, wrong.isoformat())
    assert "is no day" in refuse(*compare, date.max.isoformat())
    answer(app, None, "state = 'stopped', trouble = 'forbidden'")
    said = refuse(*compare, yesterday().isoformat())
    assert said == "It was given up. The token's role may not list calls (403)."
